"""Work in threads: in order, few items ahead, the first error, and nobody left behind."""

import threading
import time

import pytest

from workbench.threads import in_threads, processors


def workers():
    return [thread for thread in threading.enumerate() if thread.name.startswith("of a test")]


def test_results_come_in_the_order_of_the_items():
    def slow_first(item):
        time.sleep(0.05 if item == 0 else 0)
        return 2 * item

    assert list(in_threads(slow_first, range(20), 4)) == [2 * item for item in range(20)]
    assert list(in_threads(str, [])) == []
    assert processors() >= 1


def test_few_items_are_taken_ahead_of_what_is_used():
    taken, ahead = [], []
    items = (taken.append(item) or item for item in range(100))
    for used, _ in enumerate(in_threads(lambda item: item, items, 3), 1):
        ahead.append(len(taken) - used)
    assert len(taken) == 100
    assert max(ahead) == 2 * 3


def test_the_error_of_the_first_item_that_fails_is_raised_and_the_rest_is_dropped():
    done = []

    def work(item):
        if item in (2, 3):
            raise KeyError(item)
        done.append(item)

    with pytest.raises(KeyError, match="2"):
        list(in_threads(work, range(1000), 2, name="of a test"))
    assert len(done) < 20
    assert not workers()


def test_the_error_of_taking_an_item_is_raised_at_once():
    def items():
        yield from range(3)
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        list(in_threads(lambda item: item, items(), 2, name="of a test"))
    assert not workers()


def test_who_stops_listening_leaves_no_thread():
    results = in_threads(lambda item: item, range(1000), 2, name="of a test")
    assert next(results) == 0
    results.close()
    assert not workers()
