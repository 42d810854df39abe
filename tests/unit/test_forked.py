"""Processes that tests fork from their own leave it as it was, however they end."""

import io
import os
import sys
import threading
import time
from typing import NoReturn

import pytest
from tqdm import tqdm

from tests.forked import Running

_LONG_S = 60


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot fork")
def test_a_process_that_is_killed_while_it_draws_a_bar_keeps_no_other_from_drawing() -> None:
    tqdm(total=1, file=io.StringIO()).close()  # so that there is a lock to be forked

    def draws_for_ever() -> NoReturn:
        tqdm.get_lock().acquire()
        os.write(1, b"it draws")
        while True:
            time.sleep(_LONG_S)

    child = Running(draws_for_ever)
    assert child.stderr.read(8) == b"it draws"
    child.kill()
    child.wait()
    drawing = threading.Thread(target=lambda: tqdm(total=1, file=io.StringIO()).close(), daemon=True)
    drawing.start()
    drawing.join(_LONG_S)
    assert not drawing.is_alive()
