// c (m, n) = a (m, k) times b (k, n), three times: each step reads less from slow memory than the one before.

// 1. Textbook: one work-item computes one element and reads a whole row and a whole column for it. Every
// element of a is read n times, every element of b m times.
KERNEL matmul_textbook(GLOBAL const float *a, GLOBAL const float *b, GLOBAL float *c, int m, int n, int k) {
    size_t column = GLOBAL_ID(0), row = GLOBAL_ID(1);
    if (row >= m || column >= n) return;
    float total = 0.0f;
    for (size_t i = 0; i < k; i++) total += a[row * k + i] * b[i * n + column];
    c[row * n + column] = total;
}

// 2. Tiled: a work-group of TILE x TILE reads one tile of a and one of b into local memory, and everybody
// uses both TILE times. Global memory is read TILE times less often.
KERNEL matmul_tiled(GLOBAL const float *a, GLOBAL const float *b, GLOBAL float *c, int m, int n, int k) {
    LOCAL float tile_a[TILE][TILE];
    LOCAL float tile_b[TILE][TILE];
    size_t column = GLOBAL_ID(0), row = GLOBAL_ID(1), x = LOCAL_ID(0), y = LOCAL_ID(1);
    float total = 0.0f;
    for (size_t first = 0; first < k; first += TILE) {
        // Beyond the edge a tile is zero. All work-items come to the barriers, also those with nothing to do.
        tile_a[y][x] = 0.0f;
        tile_b[y][x] = 0.0f;
        if (row < m && first + x < k) tile_a[y][x] = a[row * k + first + x];
        if (column < n && first + y < k) tile_b[y][x] = b[(first + y) * n + column];
        BARRIER;
        for (int i = 0; i < TILE; i++) total += tile_a[y][i] * tile_b[i][x];
        BARRIER;
    }
    if (row < m && column < n) c[row * n + column] = total;
}

// 3a. Packing: copy a matrix into panels of `width` columns (or rows), so that the loop of 3b reads memory from
// front to back. packed[panel][j][lane] = source[(panel * width + lane) * stride + j * step]; lanes past the end
// are zero. The two strides make it serve a transposed matrix as well.
VECTORS
KERNEL pack(GLOBAL const float *source, GLOBAL float *packed, int count, int length, int stride, int step,
            int width) {
    size_t j = GLOBAL_ID(0), panel = GLOBAL_ID(1);
    if (j >= length || panel * width >= count) return;
    size_t first = panel * width, to = (panel * length + j) * width;
    if (stride == 1 && width % 16 == 0 && first + width <= count) {  // neighbours stay neighbours: whole vectors
        for (size_t lane = 0; lane < width; lane += 16)
            STORE16(packed + to + lane, LOAD16(source + first + lane + j * step));
        return;
    }
    for (size_t lane = 0; lane < width; lane++)
        packed[to + lane] = first + lane < count ? source[(first + lane) * stride + j * step] : 0.0f;
}

// 3b. Registers: one work-item computes ROWS x 16*WIDE elements and keeps all of them in registers (WIDE vectors
// a row). Each number that it reads is used 16*WIDE or ROWS times at once; nothing is written before the end.
VECTORS
KERNEL matmul_registers(GLOBAL const float *a, GLOBAL const float *packed_b, GLOBAL float *c, int m, int n, int k) {
    size_t panel_a = GLOBAL_ID(0), panel_b = GLOBAL_ID(1);  // neighbours share a panel of b
    if (panel_a * ROWS >= m || panel_b * (16 * WIDE) >= n) return;
    size_t b = panel_b * k * (16 * WIDE), row_of_a[ROWS];
#pragma unroll
    for (int r = 0; r < ROWS; r++)  // rows past the end repeat the last one, and are not written
        row_of_a[r] = (panel_a * ROWS + r < m ? panel_a * ROWS + r : m - 1) * k;
    vec16 total[ROWS][WIDE];
#pragma unroll
    for (int r = 0; r < ROWS; r++)
#pragma unroll
        for (int v = 0; v < WIDE; v++) total[r][v] = SPLAT16(0.0f);
    for (int i = 0; i < k; i++) {
        vec16 row_of_b[WIDE];
#pragma unroll
        for (int v = 0; v < WIDE; v++) row_of_b[v] = LOAD16(packed_b + b + 16 * v);
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            float one_of_a = a[row_of_a[r] + i];
#pragma unroll
            for (int v = 0; v < WIDE; v++) total[r][v] = one_of_a * row_of_b[v] + total[r][v];
        }
        b += 16 * WIDE;
    }
#pragma unroll
    for (int v = 0; v < WIDE; v++) {
        size_t row = panel_a * ROWS, column = panel_b * (16 * WIDE) + 16 * v;
#pragma unroll
        for (int r = 0; r < ROWS; r++)
            if (row + r < m) {
                if (column + 16 <= n)
                    STORE16(c + (row + r) * n + column, total[r][v]);
                else  // the last vector sticks out: one element after another
#pragma unroll
                    for (int lane = 0; lane < 16; lane++)
                        if (column + lane < n) c[(row + r) * n + column + lane] = LANE(total[r][v], lane);
            }
    }
}

// out (columns, rows) = the transpose of x (rows, columns)
KERNEL transpose(GLOBAL const float *x, GLOBAL float *out, int rows, int columns) {
    size_t column = GLOBAL_ID(0), row = GLOBAL_ID(1);
    if (row < rows && column < columns) out[column * rows + row] = x[row * columns + column];
}
