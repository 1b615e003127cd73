// Sums. GROUP is the number of work-items in a work-group, a power of two.

// A tree: every work-item first adds up its share of x, then half of the group adds the other half's numbers
// to its own, then a quarter, and so on. `partial` gets one number from each work-group; a second launch, of
// one group, adds those.
KERNEL sum(GLOBAL const float *x, GLOBAL float *partial, int n) {
    LOCAL float shared[GROUP];
    size_t me = LOCAL_ID(0);
    float mine = 0.0f;
    for (size_t i = GLOBAL_ID(0); i < n; i += GLOBAL_SIZE(0)) mine += x[i];
    shared[me] = mine;
    BARRIER;  // nobody reads the neighbours' numbers before all are there
    for (int span = GROUP / 2; span > 0; span /= 2) {
        if (me < span) shared[me] = shared[me] + shared[me + span];
        BARRIER;
    }
    if (me == 0) partial[GROUP_ID(0)] = shared[0];
}

// The same without its barriers: a race. Wrong on purpose, for the lecture.
KERNEL sum_without_barrier(GLOBAL const float *x, GLOBAL float *partial, int n) {
    LOCAL float shared[GROUP];
    size_t me = LOCAL_ID(0);
    float mine = 0.0f;
    for (size_t i = GLOBAL_ID(0); i < n; i += GLOBAL_SIZE(0)) mine += x[i];
    shared[me] = mine;
    for (int span = GROUP / 2; span > 0; span /= 2) {
        if (me < span) shared[me] = shared[me] + shared[me + span];
    }
    if (me == 0) partial[GROUP_ID(0)] = shared[0];
}

// out[i] = the sum over chunks of partial[chunk, i]
KERNEL sum_chunks(GLOBAL const float *partial, GLOBAL float *out, int chunks, int n) {
    size_t i = GLOBAL_ID(0);
    if (i < n) {
        float total = 0.0f;
        for (int chunk = 0; chunk < chunks; chunk++) total += partial[(size_t)chunk * n + i];
        out[i] = total;
    }
}

// partial[chunk, channel] = the sum of x (n, channels, pixels) over the images of this chunk. Sixteen running
// sums at a time are faster than one, and more accurate.
KERNEL channel_sum(GLOBAL const float *x, GLOBAL float *partial, int n, int channels, int pixels, int chunks) {
    size_t channel = GLOBAL_ID(0), chunk = GLOBAL_ID(1);
    if (channel >= channels || chunk >= chunks) return;
    size_t first = chunk * n / chunks, end = (chunk + 1) * n / chunks;
    vec16 sums = SPLAT16(0.0f);
    float rest = 0.0f;
    for (size_t image = first; image < end; image++) {
        size_t row = (image * channels + channel) * pixels;
        int i = 0;
        for (; i + 16 <= pixels; i += 16) sums = sums + LOAD16(x + row + i);
        for (; i < pixels; i++) rest += x[row + i];
    }
    partial[chunk * channels + channel] = rest + VECTOR_TOTAL(sums);
}
