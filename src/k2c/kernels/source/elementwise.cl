// One work-item, one element. The guard (i < n) is needed because the number of work-items is rounded up to
// whole work-groups, so the last group may reach past the end.

KERNEL vector_add(GLOBAL const float *a, GLOBAL const float *b, GLOBAL float *out, int n) {
    size_t i = GLOBAL_ID(0);
    if (i < n) out[i] = a[i] + b[i];
}

// y = factor * x + y
KERNEL saxpy(GLOBAL const float *x, GLOBAL float *y, float factor, int n) {
    size_t i = GLOBAL_ID(0);
    if (i < n) y[i] = factor * x[i] + y[i];
}

// A comparison and not max(): on CPUs some compilers call max() as a function, eight times slower.
KERNEL relu(GLOBAL const float *x, GLOBAL float *out, int n) {
    size_t i = GLOBAL_ID(0);
    if (i < n) out[i] = x[i] > 0.0f ? x[i] : 0.0f;
}

// The same for arrays that no cache holds: a work-item has 16 elements in one vector, and writes them past the
// caches (STREAM16), since nobody reads them again soon. The last work-item may have fewer.
VECTORS
KERNEL vector_add_long(GLOBAL const float *a, GLOBAL const float *b, GLOBAL float *out, int n) {
    size_t i = 16 * GLOBAL_ID(0);
    if (i + 16 <= n)
        STREAM16(out + i, LOAD16(a + i) + LOAD16(b + i));
    else
        for (; i < n; i++) out[i] = a[i] + b[i];
}

VECTORS
KERNEL relu_long(GLOBAL const float *x, GLOBAL float *out, int n) {
    size_t i = 16 * GLOBAL_ID(0);
    if (i + 16 <= n) {
        vec16 seen = LOAD16(x + i);
        STREAM16(out + i, POSITIVE16(seen));
    } else
        for (; i < n; i++) out[i] = x[i] > 0.0f ? x[i] : 0.0f;
}

// tanh as a ratio of two polynomials, right to a few units in the last place, without a branch or a call: so
// the compiler computes many elements at once. The coefficients are those of the Eigen library (ptanh).
DEVICE float tanh_of(float x) {
    x = x > 7.9053111f ? 7.9053111f : x;  // beyond, tanh is 1 in float32
    x = x < -7.9053111f ? -7.9053111f : x;
    float s = x * x;
    float p = s * -2.76076847742355e-16f + 2.00018790482477e-13f;
    p = s * p + -8.60467152213735e-11f;
    p = s * p + 5.12229709037114e-08f;
    p = s * p + 1.48572235717979e-05f;
    p = s * p + 6.37261928875436e-04f;
    p = s * p + 4.89352455891786e-03f;
    float q = s * 1.19825839466702e-06f + 1.18534705686654e-04f;
    q = s * q + 2.26843463243900e-03f;
    q = s * q + 4.89352518554385e-03f;
    return x * p / q;
}

KERNEL tanh_forward(GLOBAL const float *x, GLOBAL float *out, int n) {
    size_t i = GLOBAL_ID(0);
    if (i < n) out[i] = tanh_of(x[i]);
}

// tanh' = 1 - tanh^2, so the output is all that has to be kept for the backward pass.
KERNEL tanh_backward(GLOBAL const float *y, GLOBAL const float *dy, GLOBAL float *dx, int n) {
    size_t i = GLOBAL_ID(0);
    if (i < n) dx[i] = dy[i] * (1.0f - y[i] * y[i]);
}

// The same bias for every row of x, in place.
KERNEL add_bias(GLOBAL float *x, GLOBAL const float *bias, int rows, int columns) {
    size_t column = GLOBAL_ID(0), row = GLOBAL_ID(1);
    if (row < rows && column < columns) x[row * columns + column] = x[row * columns + column] + bias[column];
}

KERNEL fill(GLOBAL float *out, float value, int n) {
    size_t i = GLOBAL_ID(0);
    if (i < n) out[i] = value;
}

// One step of stochastic gradient descent: the velocity remembers past gradients.
KERNEL sgd(GLOBAL float *parameter, GLOBAL float *velocity, GLOBAL const float *gradient, float learning_rate,
           float momentum, float weight_decay, int n) {
    size_t i = GLOBAL_ID(0);
    if (i < n) {
        float v = momentum * velocity[i] + gradient[i] + weight_decay * parameter[i];
        velocity[i] = v;
        parameter[i] = parameter[i] - learning_rate * v;
    }
}
