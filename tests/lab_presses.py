"""What tests of labs do to their buttons and threads."""

import threading


def finish(lab):
    lab.runner._thread.join()


def press_and_release(lab, released):
    """Press the button while the work waits, and then release the work."""
    press = threading.Thread(target=lab.go.click)
    press.start()
    lab.runner._asked.wait()
    released.set()
    press.join()
