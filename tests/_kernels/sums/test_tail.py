"""The largest numbers of a stream of blocks, against sorting all of them."""

import numpy as np
import pytest

from mcvi._kernels.compiler.intrinsics import lowest_bit, mask_above
from mcvi._kernels.compiler.jit import kernel
from mcvi._kernels.sums import tail

INF = np.inf
# Around 64, the bits of a mask; the strides of 256 numbers and 64 rows; the columns from which a loop runs over them.
SIZES = [0, 1, 2, 63, 64, 65, 127, 128, 129, 255, 256, 257, 700]


def numbers(kind, *shape):
    rng = np.random.default_rng([len(kind), *shape])
    x = rng.normal(size=shape)
    if kind == "ties":
        return np.round(x)
    if kind == "falling":
        return -np.sort(-x, axis=0)
    if kind == "rising":
        return np.sort(x, axis=0)
    if kind == "equal":
        return np.full(shape, 2.5)
    if kind == "with nan and infinities":
        return np.where(rng.random(shape) < 0.3, rng.choice([np.nan, INF, -INF], shape), x)
    if kind == "mostly zero weights":
        return np.where(rng.random(shape) < 0.9, -INF, x)
    return x


KINDS = ["plain", "ties", "falling", "rising", "equal", "with nan and infinities", "mostly zero weights"]


def twin(x, sign, keep):
    """Return the `keep` largest of each column in ascending order; nan and what is missing are -inf."""
    x = np.where(np.isnan(x), -INF, sign * x)
    x = np.concatenate([np.full((keep, x.shape[1]), -INF), x])
    return np.sort(x, axis=0)[-keep:].T


def streamed(blocks, sign, keep, room):
    columns = blocks[0].shape[1]
    values, sizes = np.full((columns, room), np.nan), np.zeros(columns, np.int64)
    floors = np.full(columns, -INF)
    for block in blocks:
        tail.keep_largest(block, sign, keep, values, sizes, floors)
        assert (sizes <= room).all()
    return values, sizes, floors


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("columns", [1, 3, 31, 32, 64, 65, 130])
@pytest.mark.parametrize("keep", [1, 20, 95])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_stream_keeps_the_largest(kind, columns, keep, sign):
    x = numbers(kind, 1500, columns)
    blocks = np.split(x, [1, 64, 65, 400, 401, 1100])
    room = keep + tail.slack(columns)
    values, sizes, floors = streamed(blocks, sign, keep, room)
    kept = [row[:size] for row, size in zip(values, sizes, strict=True)]
    assert not np.isnan(np.concatenate(kept)).any()
    right = twin(x, sign, keep)
    found = np.array([np.sort(np.concatenate([np.full(keep, -INF), row]))[-keep:] for row in kept])
    np.testing.assert_array_equal(found, right)
    # As many as are kept reach the floor of a column, so that nothing below it is missed; the room was used up.
    above = np.where(np.isnan(x), -INF, sign * x) >= floors
    assert (above.sum(axis=0) >= keep).all()
    if kind == "plain":
        assert (floors > -INF).all()


@pytest.mark.parametrize("columns", [1, 40])
def test_nothing_is_cut_where_there_is_room(columns):
    x = numbers("with nan and infinities", 300, columns)
    values, sizes, floors = streamed([x], 1.0, 5, 300)
    assert (sizes == 300).all()
    assert (floors == -INF).all()
    np.testing.assert_array_equal(values, np.where(np.isnan(x), -INF, x).T)


@pytest.mark.parametrize("columns", [1, 40])
def test_a_floor_that_is_known_is_minded_from_the_start(columns):
    x = numbers("plain", 200, columns)
    values, sizes, floors = np.full((columns, 300), np.nan), np.zeros(columns, np.int64), np.full(columns, 0.5)
    tail.keep_largest(x, 1.0, 5, values, sizes, floors)
    for column in range(columns):
        np.testing.assert_array_equal(values[column, : sizes[column]], x[x[:, column] > 0.5, column])
    np.testing.assert_array_equal(floors, 0.5)


def test_some_columns_may_have_a_floor_and_others_none():
    x = numbers("with nan and infinities", 130, 70)
    values, sizes = np.full((70, 200), np.nan), np.zeros(70, np.int64)
    floors = np.where(np.arange(70) % 3 == 0, -INF, 0.2)
    tail.keep_largest(x, 1.0, 5, values, sizes, floors.copy())
    for j in range(70):
        right = np.where(np.isnan(x[:, j]), -INF, x[:, j]) if floors[j] == -INF else x[x[:, j] > 0.2, j]
        np.testing.assert_array_equal(np.sort(values[j, : sizes[j]]), np.sort(right))


@pytest.mark.parametrize("size", [1, 2, 3, 10, 257])
@pytest.mark.parametrize("kind", ["plain", "ties", "falling", "rising", "equal"])
def test_selection(size, kind):
    x = numbers(kind, size)
    for keep in {1, (size + 1) // 2, max(size - 1, 1), size}:
        selected = np.append(x, [99.0, 98.0])
        tail.select_largest(selected, size, keep)
        np.testing.assert_array_equal(np.sort(selected[:keep]), np.sort(x)[size - keep :])
        np.testing.assert_array_equal(np.sort(selected), np.sort(np.append(x, [99.0, 98.0])))


@pytest.mark.parametrize("kind", ["plain", "ties", "falling", "rising", "equal", "mostly zero weights"])
@pytest.mark.parametrize(("size", "keep"), [(40, 20), (300, 20), (2000, 95), (5000, 2400), (5000, 20)])
def test_rows_are_pruned_to_their_largest_and_some_more(kind, size, keep):
    x = numbers(kind, 3, size)
    values, floors = x.copy(), np.array([-INF, -0.5, 9.0])
    length = tail.prune(values, keep, floors)
    assert keep <= length <= max(keep, (size + keep) // 2)
    np.testing.assert_array_equal(
        np.sort(values[:, :length], axis=1)[:, length - keep :], np.sort(x, axis=1)[:, -keep:]
    )
    least = np.sort(x, axis=1)[:, -keep]
    assert floors[2] == 9.0
    assert (floors[:2] <= np.maximum(least[:2], [-INF, -0.5])).all()
    assert floors[0] >= np.sort(x[0])[0]
    assert floors[1] >= -0.5


def test_a_guessed_floor_leaves_little_more_than_what_is_kept():
    # Speed, not truth: a selection by quicksort's partition would leave exactly `keep`, and takes longer.
    values = numbers("plain", 1, 5000)
    length = tail.prune(values, 200, np.array([-INF]))
    assert 600 < length < 1200


def test_rows_are_filled_up():
    values = np.ones((2, 5))
    tail.fill(values, np.array([2, 4]), 4)
    np.testing.assert_array_equal(values, [[1, 1, -INF, -INF, 1], [1, 1, 1, 1, 1]])


@pytest.mark.parametrize("columns", [1, 31, 32, 100])
def test_slack_is_room_for_two_strides(columns):
    assert tail.slack(columns) == (512 if columns < 32 else 128)


@kernel
def _mask(x, start, sign, floor):
    return mask_above(x, start, sign, floor)


@kernel
def _lowest(bits):
    return lowest_bit(bits)


@pytest.mark.parametrize("start", [0, 1, 6])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_masks_have_a_bit_for_each_number_above(start, sign):
    x = numbers("with nan and infinities", 70)
    x[10:14] = 0.25 * sign
    for floor in (0.25, np.full(70, 0.25), np.where(np.arange(70) % 2, INF, -1.0)):
        above = (sign * x > floor)[start : start + 64]
        assert int(_mask(x, start, sign, floor)) == sum(1 << i for i in np.flatnonzero(above).tolist())


@pytest.mark.parametrize("place", [0, 1, 31, 32, 63])
def test_the_lowest_bit(place):
    assert _lowest(np.uint64(1 << place)) == place
    assert _lowest(np.uint64((1 << place) | (1 << 63))) == place
