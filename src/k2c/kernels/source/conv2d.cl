// Convolution of images x (n, channels, height, width) with weight (filters, channels, kernel_height,
// kernel_width), without padding: y (n, filters, height - kernel_height + 1, width - kernel_width + 1).

// Textbook: one work-item, one pixel of y.
KERNEL conv2d_textbook(GLOBAL const float *x, GLOBAL const float *weight, GLOBAL const float *bias,
                       GLOBAL float *y, int n, int channels, int height, int width, int filters,
                       int kernel_height, int kernel_width) {
    size_t column = GLOBAL_ID(0), row = GLOBAL_ID(1), plane = GLOBAL_ID(2);
    size_t rows = height - kernel_height + 1, columns = width - kernel_width + 1;
    if (column >= columns || row >= rows || plane >= (size_t)n * filters) return;
    size_t image = plane / filters, filter = plane % filters;
    float total = bias[filter];
    for (size_t c = 0; c < channels; c++)
        for (size_t i = 0; i < kernel_height; i++)
            for (size_t j = 0; j < kernel_width; j++)
                total += x[((image * channels + c) * height + row + i) * width + column + j] *
                         weight[((filter * channels + c) * kernel_height + i) * kernel_width + j];
    y[(plane * rows + row) * columns + column] = total;
}

// Tuned for filters of SIDE x SIDE taps, a number that is known when compiling, so that the loops are unrolled.
// One work-item computes a tile of 2*PAIRS rows x 8 columns for FILTERS filters, all in registers; 16
// numbers (8 columns of two rows) are one vector. A pixel that is read serves FILTERS filters, a weight a whole
// tile.
// A tile that would stick out at the bottom or on the right is moved back until it fits: the pixels where two
// tiles overlap are computed twice, and both write the same number. So y needs 2*PAIRS rows and 8 columns.
VECTORS
KERNEL conv2d_tuned(GLOBAL const float *x, GLOBAL const float *weight, GLOBAL const float *bias, GLOBAL float *y,
                    int n, int channels, int height, int width, int filters, int kernel_height,
                    int kernel_width) {
    size_t tile = GLOBAL_ID(0), group = GLOBAL_ID(1), image = GLOBAL_ID(2);
    size_t rows = height - kernel_height + 1, columns = width - kernel_width + 1;
    size_t across = (columns + 7) / 8, down = (rows + 2 * PAIRS - 1) / (2 * PAIRS);
    if (tile >= across * down || group * FILTERS >= filters || image >= n) return;
    size_t row = tile / across * (2 * PAIRS), column = tile % across * 8;
    row = row + 2 * PAIRS > rows ? rows - 2 * PAIRS : row;
    column = column + 8 > columns ? columns - 8 : column;

    vec16 total[FILTERS][PAIRS];
#pragma unroll
    for (int f = 0; f < FILTERS; f++)
#pragma unroll
        for (int p = 0; p < PAIRS; p++)
            total[f][p] = SPLAT16(0.0f);

    size_t taps = (size_t)channels * SIDE * SIDE, tap = 0, of_filter[FILTERS];
#pragma unroll
    for (int f = 0; f < FILTERS; f++)  // filters past the end repeat the last one, and are not written
        of_filter[f] = (group * FILTERS + f < filters ? group * FILTERS + f : filters - 1) * taps;
    for (int c = 0; c < channels; c++)
        for (int i = 0; i < SIDE; i++)
#pragma unroll
            for (int j = 0; j < SIDE; j++) {
                size_t from = ((image * channels + c) * height + row + i) * width + column + j;
                vec16 seen[PAIRS];
#pragma unroll
                for (int p = 0; p < PAIRS; p++)
                    PAIR(seen[p], LOAD8(x + from + 2 * p * width), LOAD8(x + from + (2 * p + 1) * width));
#pragma unroll
                for (int f = 0; f < FILTERS; f++) {
                    float w = weight[of_filter[f] + tap];
#pragma unroll
                    for (int p = 0; p < PAIRS; p++) total[f][p] = w * seen[p] + total[f][p];
                }
                tap++;
            }

#pragma unroll
    for (int f = 0; f < FILTERS; f++)
        if (group * FILTERS + f < filters) {
            vec16 b = SPLAT16(bias[group * FILTERS + f]);
            size_t to = ((image * filters + group * FILTERS + f) * rows + row) * columns + column;
#pragma unroll
            for (int p = 0; p < PAIRS; p++) {
                STORE8(y + to + 2 * p * columns, LOWER(total[f][p] + b));
                STORE8(y + to + (2 * p + 1) * columns, UPPER(total[f][p] + b));
            }
        }
}
