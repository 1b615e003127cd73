// Softmax of each row of x (rows, columns), and the loss of a classifier. GROUP is a power of two.

// One work-group a row. The largest number is taken off first, so that exp() cannot overflow.
KERNEL softmax(GLOBAL const float *x, GLOBAL float *out, int rows, int columns) {
    LOCAL float shared[GROUP];
    size_t row = GROUP_ID(0), me = LOCAL_ID(0);
    float largest = -INFINITY;
    if (row < rows)
        for (size_t j = me; j < columns; j += GROUP) {
            float value = x[row * columns + j];
            largest = value > largest ? value : largest;
        }
    shared[me] = largest;
    BARRIER;
    for (int span = GROUP / 2; span > 0; span /= 2) {
        if (me < span) shared[me] = shared[me + span] > shared[me] ? shared[me + span] : shared[me];
        BARRIER;
    }
    largest = shared[0];
    BARRIER;  // everybody has read shared[0] before it is used again
    float total = 0.0f;
    if (row < rows)
        for (size_t j = me; j < columns; j += GROUP) total += exp(x[row * columns + j] - largest);
    shared[me] = total;
    BARRIER;
    for (int span = GROUP / 2; span > 0; span /= 2) {
        if (me < span) shared[me] = shared[me] + shared[me + span];
        BARRIER;
    }
    if (row < rows)
        for (size_t j = me; j < columns; j += GROUP)
            out[row * columns + j] = exp(x[row * columns + j] - largest) / shared[0];
}

// Cross-entropy of softmax(logits) and its gradient with respect to the logits, for the mean over all rows.
// One work-item a row: ten classes are too few to share out.
KERNEL cross_entropy(GLOBAL const float *logits, GLOBAL const int *targets, GLOBAL float *losses,
                     GLOBAL float *gradient, int rows, int columns) {
    size_t row = GLOBAL_ID(0);
    if (row >= rows) return;
    losses[row] = NAN;  // stays for a target that is no class
    float largest = -INFINITY, total = 0.0f;
    for (size_t j = 0; j < columns; j++) {
        float value = logits[row * columns + j];
        largest = value > largest ? value : largest;
    }
    for (size_t j = 0; j < columns; j++) total += exp(logits[row * columns + j] - largest);
    for (size_t j = 0; j < columns; j++) {
        float shifted = logits[row * columns + j] - largest;
        float wanted = j == targets[row] ? 1.0f : 0.0f;
        gradient[row * columns + j] = (exp(shifted) / total - wanted) / rows;
        if (j == targets[row]) losses[row] = log(total) - shifted;
    }
}
