// A convolution, 2 x 2 max-pooling and tanh in one kernel, and its two gradients, for filters of SIDE x SIDE taps.
// tanh grows with its input, so the tanh of the largest is the largest tanh: pooling first leaves a quarter of them.
// The channels of a pixel lie side by side: x (n, height, width, channels). A window is 2 x 2 pixels of the
// convolution's result, and `which` says which of the four (0 to 3, left to right, then down) was the largest. y and
// `which` are (n, windows, filters), what a second block reads; `planar`, they are (n, filters, windows), what a
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

// One work-item, one window for 16*VECS filters: the four sums of each filter stay in registers, a weight that is
// read serves four pixels, and a pixel all the filters. weight is (SIDE*SIDE*channels, filters), 16 filters or more.
// The last vector of filters is moved back until it fits: what overlaps is computed twice.
VECTORS
KERNEL conv_pool_tanh(GLOBAL const float *x, GLOBAL const float *weight, GLOBAL const float *bias, GLOBAL float *y,
                      GLOBAL float *which, int n, int height, int width, int channels, int filters, int planar) {
    size_t window = GLOBAL_ID(0), group = GLOBAL_ID(1), image = GLOBAL_ID(2);
    size_t down = (height - SIDE + 1) / 2, across = (width - SIDE + 1) / 2, line = width * channels;
    if (window >= down * across || group * VECS * 16 >= filters || image >= n) return;
    size_t filter[VECS];
    vec16 total[4][VECS];
#pragma unroll
    for (int v = 0; v < VECS; v++) {
        size_t f = 16 * (group * VECS + v);
        filter[v] = f + 16 > filters ? filters - 16 : f;
#pragma unroll
        for (int k = 0; k < 4; k++) total[k][v] = SPLAT16(0.0f);
    }
    size_t above = image * height * line + window / across * 2 * line + window % across * 2 * channels, w = 0;
    for (int i = 0; i < SIDE; i++, above += line)
        for (size_t at = above; at < above + SIDE * channels; at++, w += filters) {
            float a = x[at], b = x[at + channels], c = x[at + line], d = x[at + line + channels];
#pragma unroll
            for (int v = 0; v < VECS; v++) {
                vec16 seen = LOAD16(weight + w + filter[v]);
                total[0][v] = a * seen + total[0][v];
                total[1][v] = b * seen + total[1][v];
                total[2][v] = c * seen + total[2][v];
                total[3][v] = d * seen + total[3][v];
            }
        }
    size_t windows = down * across, to = image * windows * filters + window * (planar ? 1 : filters);
#pragma unroll
    for (int v = 0; v < VECS; v++) {
        vec16 largest = total[0][v], number = SPLAT16(0.0f);
#pragma unroll
        for (int k = 1; k < 4; k++) KEEP_LARGER16(largest, number, total[k][v], (float)k);
        largest = largest + LOAD16(bias + filter[v]);
        TANH16(largest);
        if (planar)
#pragma unroll
            for (int lane = 0; lane < 16; lane++) {
                y[to + (filter[v] + lane) * windows] = LANE(largest, lane);
                which[to + (filter[v] + lane) * windows] = LANE(number, lane);
            }
        else {
            STORE16(y + to + filter[v], largest);
            STORE16(which + to + filter[v], number);
        }
    }
}

// Backward. Of a window's four pixels only the largest passes its gradient on: three quarters of what a plain
// gradient of the convolution multiplies is zero, and is left out here. dz is the gradient with respect to the
// pooled sums, before tanh.

// Weights of a planar block: one work-item computes row i of SOME filters over the images of one chunk. partial[chunk]
// holds (filters, SIDE, SIDE*channels), then the gradients of the filters' biases, to be added with sum_chunks. A row
// is 16*FULL + 4 numbers (5 taps of 20 channels).
VECTORS
KERNEL conv_pool_weight(GLOBAL const float *x, GLOBAL const float *dz, GLOBAL const float *which,
                        GLOBAL float *partial, int n, int height, int width, int channels, int filters, int chunks) {
    size_t i = GLOBAL_ID(0), group = GLOBAL_ID(1), chunk = GLOBAL_ID(2);
    size_t down = (height - SIDE + 1) / 2, across = (width - SIDE + 1) / 2, line = width * channels;
    if (i >= SIDE || group * SOME >= filters || chunk >= chunks) return;
    size_t first = chunk * n / chunks, end = (chunk + 1) * n / chunks, windows = down * across, filter[SOME];
    vec16 total[SOME][FULL];
    vec4 rest[SOME];
    float bias[SOME];
#pragma unroll
    for (int f = 0; f < SOME; f++) {  // filters past the end repeat the last one, and are not written
        filter[f] = group * SOME + f < filters ? group * SOME + f : filters - 1;
        rest[f] = SPLAT4(0.0f);
        bias[f] = 0.0f;
#pragma unroll
        for (int v = 0; v < FULL; v++) total[f][v] = SPLAT16(0.0f);
    }
    for (size_t image = first; image < end; image++)
        for (size_t window = 0; window < windows; window++) {
            size_t above = (image * height + window / across * 2 + i) * line + window % across * 2 * channels;
#pragma unroll
            for (int f = 0; f < SOME; f++) {
                size_t from = (image * filters + filter[f]) * windows + window;
                float slope = dz[from];
                int k = (int)which[from];
                bias[f] += slope;
                size_t at = above + (k / 2) * line + (k % 2) * channels;
#pragma unroll
                for (int v = 0; v < FULL; v++) total[f][v] = slope * LOAD16(x + at + 16 * v) + total[f][v];
                rest[f] = slope * LOAD4(x + at + 16 * FULL) + rest[f];
            }
        }
#pragma unroll
    for (int f = 0; f < SOME; f++)
        if (group * SOME + f < filters) {
            size_t weights = filters * SIDE * SIDE * channels, to = chunk * (weights + filters);
            if (i == 0) partial[to + weights + filter[f]] = bias[f];
            to += (filter[f] * SIDE + i) * SIDE * channels;
#pragma unroll
            for (int v = 0; v < FULL; v++) STORE16(partial + to + 16 * v, total[f][v]);
            STORE4(partial + to + 16 * FULL, rest[f]);
        }
}

// The same for images with one channel, in a block that is not planar: one work-item, one filter. A row is 4 + 1
// numbers.
VECTORS
KERNEL conv_pool_weight_gray(GLOBAL const float *x, GLOBAL const float *dz, GLOBAL const float *which,
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
            float slope = dz[from];
            int k = (int)which[from];
            bias += slope;
            size_t at = (image * height + window / across * 2 + k / 2) * width + window % across * 2 + k % 2;
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

// Input of a planar block: one work-item, one image. First it lists, for each pixel of each window, the filters that found their
// largest there; then, row by row of the filters, it adds up those filters' rows in registers. weight is (filters,
// SIDE, SIDE*channels). x is what the layer before gave, a tanh: dx is the gradient with respect to what that tanh
// was of, dx * (1 - x^2). At most WINDOWS windows and MOST filters.
VECTORS
KERNEL conv_pool_input(GLOBAL const float *x, GLOBAL const float *weight, GLOBAL const float *dz,
                       GLOBAL const float *which, GLOBAL float *dx, int n, int height, int width, int channels,
                       int filters) {
    size_t image = GLOBAL_ID(0), across = (width - SIDE + 1) / 2, line = width * channels;
    size_t windows = (height - SIDE + 1) / 2 * across, size = height * line, start = image * size;
    if (image >= n) return;
    short list[WINDOWS][4][MOST], count[WINDOWS][4];
    for (size_t window = 0; window < windows; window++) {
        for (int k = 0; k < 4; k++) count[window][k] = 0;
        for (int f = 0; f < filters; f++) {
            int k = (int)which[(image * filters + f) * windows + window];
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
