// Gradients of conv2d. dy is the gradient with respect to y, and so on.

// Textbook, input: a pixel of x was used by up to kernel_height * kernel_width pixels of y; gather from them.
KERNEL conv2d_backward_input(GLOBAL const float *dy, GLOBAL const float *weight, GLOBAL float *dx, int n,
                             int channels, int height, int width, int filters, int kernel_height,
                             int kernel_width) {
    size_t column = GLOBAL_ID(0), row = GLOBAL_ID(1), plane = GLOBAL_ID(2);
    size_t rows = height - kernel_height + 1, columns = width - kernel_width + 1;
    if (column >= width || row >= height || plane >= (size_t)n * channels) return;
    size_t image = plane / channels, channel = plane % channels;
    float total = 0.0f;
    for (size_t f = 0; f < filters; f++)
        for (size_t i = 0; i < kernel_height; i++)
            for (size_t j = 0; j < kernel_width; j++)
                if (row >= i && row - i < rows && column >= j && column - j < columns)
                    total += dy[((image * filters + f) * rows + row - i) * columns + column - j] *
                             weight[((f * channels + channel) * kernel_height + i) * kernel_width + j];
    dx[(plane * height + row) * width + column] = total;
}

// Textbook, weight: one work-item, one weight; it met every pixel of y.
KERNEL conv2d_backward_weight(GLOBAL const float *x, GLOBAL const float *dy, GLOBAL float *dw, int n, int channels,
                              int height, int width, int filters, int kernel_height, int kernel_width) {
    size_t w = GLOBAL_ID(0);
    size_t rows = height - kernel_height + 1, columns = width - kernel_width + 1;
    if (w >= (size_t)filters * channels * kernel_height * kernel_width) return;
    size_t j = w % kernel_width, i = w / kernel_width % kernel_height;
    size_t c = w / kernel_width / kernel_height % channels, f = w / kernel_width / kernel_height / channels;
    float total = 0.0f;
    for (size_t image = 0; image < n; image++)
        for (size_t row = 0; row < rows; row++)
            for (size_t column = 0; column < columns; column++)
                total += dy[((image * filters + f) * rows + row) * columns + column] *
                         x[((image * channels + c) * height + row + i) * width + column + j];
    dw[w] = total;
}

// Tuned, input, in two steps and a convolution: surround dy with zeros (pad), turn the filters round and swap
// their filters and channels (flip), then conv2d_tuned.
KERNEL pad(GLOBAL const float *x, GLOBAL float *out, int planes, int height, int width, int above, int beside) {
    size_t column = GLOBAL_ID(0), row = GLOBAL_ID(1), plane = GLOBAL_ID(2);
    size_t tall = height + 2 * above, wide = width + 2 * beside;
    if (column >= wide || row >= tall || plane >= planes) return;
    float value = 0.0f;
    if (row >= above && row - above < height && column >= beside && column - beside < width)
        value = x[(plane * height + row - above) * width + column - beside];
    out[(plane * tall + row) * wide + column] = value;
}

KERNEL flip(GLOBAL const float *weight, GLOBAL float *out, int filters, int channels, int taps) {
    size_t tap = GLOBAL_ID(0), c = GLOBAL_ID(1), f = GLOBAL_ID(2);
    if (tap < taps && c < channels && f < filters)
        out[(c * filters + f) * taps + taps - 1 - tap] = weight[(f * channels + c) * taps + tap];
}

// Tuned, weight: one work-item computes TAPS weights of one row of a filter, for SOME filters, over the images
// of one chunk: partial[chunk] (filters, channels, kernel_height, kernel_width), to be added with sum_chunks.
// It takes 16 products (8 columns of two rows) at a time, so y has an even number of rows and a multiple of 8
// columns: a second loop for what is left would cost everybody registers.
VECTORS
KERNEL conv2d_backward_weight_tuned(GLOBAL const float *x, GLOBAL const float *dy, GLOBAL float *partial, int n,
                                    int channels, int height, int width, int filters, int kernel_height,
                                    int kernel_width, int chunks) {
    size_t which = GLOBAL_ID(0), group = GLOBAL_ID(1), chunk = GLOBAL_ID(2);
    size_t rows = height - kernel_height + 1, columns = width - kernel_width + 1;
    size_t across = (kernel_width + TAPS - 1) / TAPS;
    if (which >= across * kernel_height * channels || group * SOME >= filters || chunk >= chunks) return;
    size_t j = which % across * TAPS, i = which / across % kernel_height, c = which / across / kernel_height;
    size_t first = chunk * n / chunks, end = (chunk + 1) * n / chunks;
    // Filters and taps past the end repeat the last one, and are not written.
    size_t filter[SOME], tap[TAPS];
    vec16 total[SOME][TAPS];
#pragma unroll
    for (int t = 0; t < TAPS; t++) tap[t] = j + t < kernel_width ? j + t : kernel_width - 1;
#pragma unroll
    for (int f = 0; f < SOME; f++) {
        filter[f] = group * SOME + f < filters ? group * SOME + f : filters - 1;
#pragma unroll
        for (int t = 0; t < TAPS; t++) total[f][t] = SPLAT16(0.0f);
    }
    for (size_t image = first; image < end; image++)
        for (size_t row = 0; row < rows; row += 2)
            for (size_t column = 0; column < columns; column += 8) {
                size_t in = ((image * channels + c) * height + row + i) * width + column;
                vec16 seen[TAPS];
#pragma unroll
                for (int t = 0; t < TAPS; t++) PAIR(seen[t], LOAD8(x + in + tap[t]), LOAD8(x + in + width + tap[t]));
#pragma unroll
                for (int f = 0; f < SOME; f++) {
                    size_t g = ((image * filters + filter[f]) * rows + row) * columns + column;
                    vec16 gradient;
                    PAIR(gradient, LOAD8(dy + g), LOAD8(dy + g + columns));
#pragma unroll
                    for (int t = 0; t < TAPS; t++) total[f][t] = gradient * seen[t] + total[f][t];
                }
            }
    size_t to = chunk * filters * channels * kernel_height * kernel_width;
#pragma unroll
    for (int f = 0; f < SOME; f++)
#pragma unroll
        for (int t = 0; t < TAPS; t++)
            if (group * SOME + f < filters && j + t < kernel_width)
                partial[to + ((filter[f] * channels + c) * kernel_height + i) * kernel_width + j + t] =
                    VECTOR_TOTAL(total[f][t]);
}
