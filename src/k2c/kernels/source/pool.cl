// Max-pooling over windows of 2 x 2: x (planes, height, width) to y (planes, height / 2, width / 2), rounded
// down; an odd last row or column is in no window.

KERNEL maxpool2(GLOBAL const float *x, GLOBAL float *y, int planes, int height, int width) {
    size_t column = GLOBAL_ID(0), row = GLOBAL_ID(1), plane = GLOBAL_ID(2);
    size_t rows = height / 2, columns = width / 2;
    if (column >= columns || row >= rows || plane >= planes) return;
    size_t at = (plane * height + 2 * row) * width + 2 * column;
    float upper = x[at + 1] > x[at] ? x[at + 1] : x[at];
    float lower = x[at + width + 1] > x[at + width] ? x[at + width + 1] : x[at + width];
    y[(plane * rows + row) * columns + column] = lower > upper ? lower : upper;
}

// The gradient goes to the first of the window's pixels that is the largest, as in torch. One work-item, one
// window, so nobody else writes its four pixels. dx is zero beforehand where height or width is odd.
KERNEL maxpool2_backward(GLOBAL const float *x, GLOBAL const float *dy, GLOBAL float *dx, int planes, int height,
                         int width) {
    size_t column = GLOBAL_ID(0), row = GLOBAL_ID(1), plane = GLOBAL_ID(2);
    size_t rows = height / 2, columns = width / 2;
    if (column >= columns || row >= rows || plane >= planes) return;
    size_t at = (plane * height + 2 * row) * width + 2 * column;
    float a = x[at], b = x[at + 1], c = x[at + width], d = x[at + width + 1];
    float upper = b > a ? b : a, lower = d > c ? d : c, g = dy[(plane * rows + row) * columns + column];
    int below = lower > upper, right_above = b > a, right_below = d > c;
    dx[at] = !below && !right_above ? g : 0.0f;
    dx[at + 1] = !below && right_above ? g : 0.0f;
    dx[at + width] = below && !right_below ? g : 0.0f;
    dx[at + width + 1] = below && right_below ? g : 0.0f;
}
