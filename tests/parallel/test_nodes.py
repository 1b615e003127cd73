"""What the source's 47 means: every number of the lecture's section, computed again from the source's figures."""

import math

import pytest

from k2c.errors import K2CError
from k2c.parallel.cost import RADIOLOGIST, Link, allgather, gigabit, ring, ring_tree_crossing, tree

ALL, TRAINING = 112_120, 86_524  # images of ChestX-ray14, and of its official training split
GRADIENT = 4 * 6_968_206


def test_the_hours_are_those_of_the_source():
    assert RADIOLOGIST.hours_distributed == pytest.approx(50 / 47) == pytest.approx(1.064, abs=1e-3)
    assert RADIOLOGIST.workers == 64


def test_47_is_against_one_node_and_more_than_one_for_each_node():
    assert RADIOLOGIST.of_one_node == pytest.approx(47 / 32) == pytest.approx(1.469, abs=1e-3)
    assert RADIOLOGIST.of_one_process == pytest.approx(47 / 64) == pytest.approx(0.734, abs=1e-3)


@pytest.mark.parametrize("images, one, all_nodes", [(ALL, 6.2, 293), (TRAINING, 4.8, 226)])
def test_images_per_second_follow_from_epochs_and_hours(images, one, all_nodes):
    rate = RADIOLOGIST.images_per_second(images)
    assert rate == pytest.approx(10 * images / (50 * 3600))
    assert rate == pytest.approx(one, abs=0.05) and 47 * rate == pytest.approx(all_nodes, abs=0.7)


def test_the_exchange_is_a_hundredth_of_a_step_even_at_10_gigabits():
    step = RADIOLOGIST.step_seconds(32, ALL)
    omni_path, ethernet = (RADIOLOGIST.exchange_seconds(gigabit(speed, 2e-6)) for speed in (100, 10))
    assert step == pytest.approx(5.1, abs=0.05)
    assert (
        omni_path == pytest.approx(2 * 63 * (2e-6 + GRADIENT / 64 / 12.5e9)) == pytest.approx(0.005, abs=5e-4)
    )
    assert omni_path / step < 0.0012 and 0.005 < ethernet / step < 0.012


def test_a_link_to_blame_would_have_to_be_hundreds_of_times_slower_than_omni_path():
    for batch, gigabits in {32: 0.24, 64: 0.12}.items():
        bandwidth = RADIOLOGIST.blamed_bandwidth(batch, ALL)
        assert bandwidth * 8 / 1e9 == pytest.approx(gigabits, abs=0.01)
        # At that bandwidth 32 nodes are 47 times as fast as one, if nothing else is lost.
        compute = RADIOLOGIST.step_seconds(batch, ALL)
        exchange = RADIOLOGIST.exchange_seconds(Link(0, bandwidth))
        assert 64 * compute / (compute + exchange) == pytest.approx(47)


def test_where_two_processes_gain_no_more_than_was_seen_there_is_nothing_to_blame():
    with pytest.raises(K2CError, match="no link to blame"):
        RADIOLOGIST.blamed_bandwidth(32, ALL, node_gain=47 / 32)


def test_emphysema_never_is_right_more_often_than_90_of_100():
    from k2c.datasets.chest import cooccurrence

    films = int(cooccurrence().loc["Emphysema", "Emphysema"])
    assert films == 2516 and 1 - films / ALL == pytest.approx(0.9776, abs=5e-5)


def test_an_allgather_sends_half_as_many_gradients_as_there_are_workers_for_one_of_an_all_reduce():
    link = Link(0, 1e9)
    for workers in (2, 8, 64):
        assert allgather(workers, 1e6, link) / ring(workers, 1e6, link) == pytest.approx(workers / 2)
    assert allgather(1, 1e6, link) == 0


@pytest.mark.parametrize("workers", [4, 5, 16, 64, 100])
def test_a_ring_and_a_tree_take_the_same_time_where_they_cross(workers):
    link = Link(30e-6, 1.25e9)
    size = ring_tree_crossing(workers, link)
    assert ring(workers, size, link) == pytest.approx(tree(workers, size, link))
    assert ring(workers, 2 * size, link) < tree(workers, 2 * size, link)
    assert tree(workers, size / 2, link) <= ring(workers, size / 2, link)


def test_one_worker_exchanges_nothing_so_the_two_never_cross():
    assert ring_tree_crossing(1, Link(1e-5, 1e9)) == math.inf
