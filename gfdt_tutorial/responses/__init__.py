"""The theorem: a response from unperturbed data (gfdt), from kicked twins (twins), and what both return (curves)."""
