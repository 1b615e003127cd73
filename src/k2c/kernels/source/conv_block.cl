// A convolution, 2 x 2 max-pooling and tanh in one kernel, and its two gradients, for filters of SIDE x SIDE taps.
// tanh grows with its input, so the tanh of the largest is the largest tanh: pooling first leaves a quarter of them.
// The channels of a pixel lie side by side: x (n, height, width, channels). A window is 2 x 2 pixels of the
// convolution's result, and `place` says where in an image of x the largest of the four begins to read. y and
// `place` are (n, windows, filters), what a second block reads; `planar`, they are (n, filters, windows), what a
// linear layer reads. Height and width minus SIDE - 1 are even.

// tanh of 16 numbers, in place; the polynomials of tanh_of.
#define TANH16(x)                                                                        \
    do {                                                                                \
        BETWEEN16(x, 7.9053111f);                                                        \
        vec16 s = x * x;                                                                 \
        vec16 p = -2.76076847742355e-16f * s + SPLAT16(2.00018790482477e-13f);            \
        vec16 q = 1.19825839466702e-06f * s + SPLAT16(1.18534705686654e-04f);             \
        p = s * p + SPLAT16(-8.60467152213735e-11f);                                     \
        p = s * p + SPLAT16(5.12229709037114e-08f);                                      \
        p = s * p + SPLAT16(1.48572235717979e-05f);                                      \
        p = s * p + SPLAT16(6.37261928875436e-04f);                                      \
        p = s * p + SPLAT16(4.89352455891786e-03f);                                      \
        q = s * q + SPLAT16(2.26843463243900e-03f);                                      \
        q = s * q + SPLAT16(4.89352518554385e-03f);                                      \
        x = x * p / q;                                                                  \
    } while (0)

// One work-item, one window of 16 images for FILTERS filters: a lane is an image, so that no lane is left over,
// whatever the number of filters, and a pixel that is read serves all the filters. packed_x holds panels of 16
// images, (panels, height*width*channels, 16), from `pack`; weight is (filters, SIDE, SIDE*channels).
VECTORS
KERNEL conv_pool_tanh(GLOBAL const float *packed_x, GLOBAL const float *weight, GLOBAL const float *bias,
                      GLOBAL float *y, GLOBAL float *place, int n, int height, int width, int channels, int filters,
                      int planar) {
    size_t group = GLOBAL_ID(0), window = GLOBAL_ID(1), panel = GLOBAL_ID(2);
    size_t down = (height - SIDE + 1) / 2, across = (width - SIDE + 1) / 2, line = width * channels;
    if (group * FILTERS >= filters || window >= down * across || panel * 16 >= n) return;
    size_t corner = (window / across * line + window % across * channels) * 2, filter[FILTERS];
    vec16 largest[FILTERS], number[FILTERS];
#pragma unroll
    for (int f = 0; f < FILTERS; f++)  // filters past the end repeat the last one, and are not written
        filter[f] = group * FILTERS + f < filters ? group * FILTERS + f : filters - 1;
    for (int k = 0; k < 4; k++) {
        size_t start = corner + k / 2 * line + k % 2 * channels, w = 0;
        size_t at = (panel * height * line + start) * 16;
        vec16 total[FILTERS];
#pragma unroll
        for (int f = 0; f < FILTERS; f++) total[f] = SPLAT16(0.0f);
        for (int i = 0; i < SIDE; i++, at += line * 16)
            for (size_t j = 0; j < SIDE * channels; j++, w++) {
                vec16 pixel = LOAD16(packed_x + at + j * 16);
#pragma unroll
                for (int f = 0; f < FILTERS; f++)
                    total[f] = weight[filter[f] * SIDE * SIDE * channels + w] * pixel + total[f];
            }
#pragma unroll
        for (int f = 0; f < FILTERS; f++) {
            if (k == 0) largest[f] = total[f];
            if (k == 0) number[f] = SPLAT16((float)start);
            KEEP_LARGER16(largest[f], number[f], total[f], (float)start);
        }
    }
    size_t windows = down * across;
#pragma unroll
    for (int f = 0; f < FILTERS; f++) {
        largest[f] = largest[f] + SPLAT16(bias[filter[f]]);
        TANH16(largest[f]);
        size_t to = panel * 16 * windows * filters;
        to += planar ? filter[f] * windows + window : window * filters + filter[f];
#pragma unroll
        for (int lane = 0; lane < 16; lane++, to += windows * filters)
            if (group * FILTERS + f < filters && panel * 16 + lane < n) {
                y[to] = LANE(largest[f], lane);
                place[to] = LANE(number[f], lane);
            }
    }
}

// Backward. Of a window's four pixels only the largest passes its gradient on: three quarters of what a plain
// gradient of the convolution multiplies is zero, and is left out here. dz is the gradient with respect to the
// pooled sums, before tanh.

// Weights of a planar block: one work-item computes row i of SOME filters over the images of one chunk, an image at
// a time: while it is in the cache, all the filters read it. partial[chunk] holds (filters, SIDE, SIDE*channels), then
// the gradients of the filters' biases, to be added with sum_chunks. A row is 16*FULL + 4 numbers (5 taps of 20
// channels).
VECTORS
KERNEL conv_pool_weight(GLOBAL const float *x, GLOBAL const float *dz, GLOBAL const float *place,
                        GLOBAL float *partial, int n, int height, int width, int channels, int filters, int chunks) {
    size_t i = GLOBAL_ID(0), group = GLOBAL_ID(1), chunk = GLOBAL_ID(2), line = width * channels;
    if (i >= SIDE || group * SOME >= filters || chunk >= chunks) return;
    size_t windows = (height - SIDE + 1) / 2 * ((width - SIDE + 1) / 2), weights = filters * SIDE * SIDE * channels;
    size_t first = chunk * n / chunks, end = (chunk + 1) * n / chunks, to = chunk * (weights + filters);
    for (size_t image = first; image < end; image++)
        for (size_t filter = group * SOME; filter < group * SOME + SOME && filter < filters; filter++) {
            size_t from = (image * filters + filter) * windows, row = to + (filter * SIDE + i) * SIDE * channels;
            vec16 total[FULL];
            vec4 rest = SPLAT4(0.0f);
            float bias = 0.0f;
#pragma unroll
            for (int v = 0; v < FULL; v++) total[v] = SPLAT16(0.0f);
            for (size_t window = 0; window < windows; window++) {
                size_t at = (image * height + i) * line + (int)place[from + window];
                float slope = dz[from + window];
#pragma unroll
                for (int v = 0; v < FULL; v++) total[v] = slope * LOAD16(x + at + 16 * v) + total[v];
                rest = slope * LOAD4(x + at + 16 * FULL) + rest;
                bias += slope;
            }
            if (image > first) {
#pragma unroll
                for (int v = 0; v < FULL; v++) total[v] = LOAD16(partial + row + 16 * v) + total[v];
                rest = LOAD4(partial + row + 16 * FULL) + rest;
                if (i == 0) bias += partial[to + weights + filter];
            }
#pragma unroll
            for (int v = 0; v < FULL; v++) STORE16(partial + row + 16 * v, total[v]);
            STORE4(partial + row + 16 * FULL, rest);
            if (i == 0) partial[to + weights + filter] = bias;
        }
}

// The same for images with one channel, in a block that is not planar: one work-item, one filter. A row is 4 + 1
// numbers.
VECTORS
KERNEL conv_pool_weight_gray(GLOBAL const float *x, GLOBAL const float *dz, GLOBAL const float *place,
                             GLOBAL float *partial, int n, int height, int width, int filters, int chunks) {
    size_t filter = GLOBAL_ID(0), chunk = GLOBAL_ID(1);
    size_t down = (height - SIDE + 1) / 2, across = (width - SIDE + 1) / 2;
    if (filter >= filters || chunk >= chunks) return;
    size_t first = chunk * n / chunks, end = (chunk + 1) * n / chunks;
    vec4 total[SIDE];
    float rest[SIDE], bias = 0.0f;
#pragma unroll
    for (int i = 0; i < SIDE; i++) {
        total[i] = SPLAT4(0.0f);
        rest[i] = 0.0f;
    }
    for (size_t image = first; image < end; image++)
        for (size_t window = 0; window < down * across; window++) {
            size_t from = (image * down * across + window) * filters + filter;
            size_t at = image * height * width + (int)place[from];
            float slope = dz[from];
            bias += slope;
#pragma unroll
            for (int i = 0; i < SIDE; i++, at += width) {
                total[i] = slope * LOAD4(x + at) + total[i];
                rest[i] = slope * x[at + 4] + rest[i];
            }
        }
    size_t to = chunk * filters * (SIDE * SIDE + 1);
    partial[to + filters * SIDE * SIDE + filter] = bias;
    to += filter * SIDE * SIDE;
#pragma unroll
    for (int i = 0; i < SIDE; i++) {
        STORE4(partial + to + i * SIDE, total[i]);
        partial[to + i * SIDE + 4] = rest[i];
    }
}

// Input of a planar block: one work-item, one image. First it lists, for each pixel of each window, the filters that
// found their largest there; then, row by row of the filters, it adds up those filters' rows in registers. weight is
// (filters, SIDE, SIDE*channels). x is what the layer before gave, a tanh: dx is the gradient with respect to what that tanh
// was of, dx * (1 - x^2). At most WINDOWS windows and MOST filters.
VECTORS
KERNEL conv_pool_input(GLOBAL const float *x, GLOBAL const float *weight, GLOBAL const float *dz,
                       GLOBAL const float *place, GLOBAL float *dx, int n, int height, int width, int channels,
                       int filters) {
    size_t image = GLOBAL_ID(0), across = (width - SIDE + 1) / 2, line = width * channels;
    size_t windows = (height - SIDE + 1) / 2 * across, size = height * line, start = image * size;
    if (image >= n) return;
    short list[WINDOWS][4][MOST], count[WINDOWS][4];
    for (size_t window = 0; window < windows; window++) {
        int corner = (window / across * line + window % across * channels) * 2;
        for (int k = 0; k < 4; k++) count[window][k] = 0;
        for (int f = 0; f < filters; f++) {
            int from = (int)place[(image * filters + f) * windows + window] - corner;
            int k = from < line ? from > 0 : 2 + (from > line);
            list[window][k][count[window][k]++] = f;
        }
    }
    for (size_t at = 0; at < size; at += 4) STORE4(dx + start + at, SPLAT4(0.0f));
    for (size_t i = 0; i < SIDE; i++)
        for (size_t window = 0; window < windows; window++)
            for (int k = 0; k < 4; k++) {
                vec16 total[FULL];
                vec4 rest = SPLAT4(0.0f);
#pragma unroll
                for (int v = 0; v < FULL; v++) total[v] = SPLAT16(0.0f);
                for (int one = 0; one < count[window][k]; one++) {
                    size_t f = list[window][k][one], at = (f * SIDE + i) * SIDE * channels;
                    float slope = dz[(image * filters + f) * windows + window];
#pragma unroll
                    for (int v = 0; v < FULL; v++) total[v] = slope * LOAD16(weight + at + 16 * v) + total[v];
                    rest = slope * LOAD4(weight + at + 16 * FULL) + rest;
                }
                size_t row = window / across * 2 + k / 2 + i, column = window % across * 2 + k % 2;
                size_t to = start + row * line + column * channels;
#pragma unroll
                for (int v = 0; v < FULL; v++) STORE16(dx + to + 16 * v, LOAD16(dx + to + 16 * v) + total[v]);
                STORE4(dx + to + 16 * FULL, LOAD4(dx + to + 16 * FULL) + rest);
            }
    for (size_t at = start; at < start + size; at++) dx[at] = dx[at] * (1.0f - x[at] * x[at]);
}
