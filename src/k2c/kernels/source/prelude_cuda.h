// What makes the sources of this folder CUDA C. prelude_opencl.h defines the same names for OpenCL C.
#define KERNEL extern "C" __global__ void
#define VECTORS
#define DEVICE static __device__ __forceinline__
#define GLOBAL
#define LOCAL __shared__
#define BARRIER __syncthreads()
#define AXIS_0 x
#define AXIS_1 y
#define AXIS_2 z
#define AXIS(axis) AXIS_##axis
#define GLOBAL_ID(axis) ((size_t)blockIdx.AXIS(axis) * blockDim.AXIS(axis) + threadIdx.AXIS(axis))
#define LOCAL_ID(axis) ((size_t)threadIdx.AXIS(axis))
#define GROUP_ID(axis) ((size_t)blockIdx.AXIS(axis))
#define GLOBAL_SIZE(axis) ((size_t)gridDim.AXIS(axis) * blockDim.AXIS(axis))
#define LOCAL_SIZE(axis) ((size_t)blockDim.AXIS(axis))
#define ATOMIC_INC(address) atomicAdd(address, 1)
#define INFINITY __int_as_float(0x7f800000)
#define NAN __int_as_float(0x7fc00000)

// CUDA has no operators for vectors of floats: an array in registers with the same operators.
template <int N> struct vec { float lane[N]; };
typedef vec<4> vec4;
typedef vec<8> vec8;
typedef vec<16> vec16;
#define EACH_LANE _Pragma("unroll") for (int i = 0; i < N; i++)
template <int N> DEVICE vec<N> operator+(vec<N> a, vec<N> b) { EACH_LANE a.lane[i] += b.lane[i]; return a; }
template <int N> DEVICE vec<N> operator*(vec<N> a, vec<N> b) { EACH_LANE a.lane[i] *= b.lane[i]; return a; }
template <int N> DEVICE vec<N> operator/(vec<N> a, vec<N> b) { EACH_LANE a.lane[i] /= b.lane[i]; return a; }
template <int N> DEVICE vec<N> operator*(float a, vec<N> b) { EACH_LANE b.lane[i] *= a; return b; }
template <int N> DEVICE vec<N> load_vector(const float *p) { vec<N> v; EACH_LANE v.lane[i] = p[i]; return v; }
template <int N> DEVICE void store_vector(float *p, vec<N> v) { EACH_LANE p[i] = v.lane[i]; }
template <int N> DEVICE vec<N> splat(float value) { vec<N> v; EACH_LANE v.lane[i] = value; return v; }
DEVICE vec8 half_of(vec16 v, int from) { const int N = 8; vec8 h; EACH_LANE h.lane[i] = v.lane[from + i]; return h; }
DEVICE void set_halves(vec16 &v, vec8 a, vec8 b) {
    const int N = 8;
    EACH_LANE { v.lane[i] = a.lane[i]; v.lane[8 + i] = b.lane[i]; }
}
#define SPLAT4(value) splat<4>(value)
#define SPLAT16(value) splat<16>(value)
#define LOAD4(address) load_vector<4>(address)
#define LOAD8(address) load_vector<8>(address)
#define LOAD16(address) load_vector<16>(address)
#define STORE4(address, value) store_vector<4>(address, value)
#define STORE8(address, value) store_vector<8>(address, value)
#define STORE16(address, value) store_vector<16>(address, value)
DEVICE vec16 positive16(vec16 v) { const int N = 16; EACH_LANE v.lane[i] = v.lane[i] > 0.0f ? v.lane[i] : 0.0f; return v; }
#define STREAM16(address, value) STORE16(address, value)
#define POSITIVE16(vector) positive16(vector)
DEVICE void keep_larger16(vec16 &largest, vec16 &which, vec16 v, float number) {
    const int N = 16;
    EACH_LANE if (v.lane[i] > largest.lane[i]) { largest.lane[i] = v.lane[i]; which.lane[i] = number; }
}
DEVICE void between16(vec16 &x, float limit) { const int N = 16; EACH_LANE x.lane[i] = fminf(fmaxf(x.lane[i], -limit), limit); }
#define KEEP_LARGER16(largest, which, vector, number) keep_larger16(largest, which, vector, number)
#define BETWEEN16(x, limit) between16(x, limit)
#define LOWER(vector) half_of(vector, 0)
#define UPPER(vector) half_of(vector, 8)
#define PAIR(vector, lower, upper) set_halves(vector, lower, upper)
#define LANE(vector, i) ((vector).lane[i])

#define VECTOR_TOTAL(vector) vector_total(vector)
DEVICE float vector_total(vec16 v) {
    const int N = 16;
    float total = 0.0f;
    EACH_LANE total += v.lane[i];
    return total;
}
