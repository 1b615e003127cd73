// What makes the sources of this folder OpenCL C. prelude_cuda.h defines the same names for CUDA C.
#define KERNEL __kernel void
#define DEVICE static inline
#define GLOBAL __global
#define LOCAL __local
#define BARRIER barrier(CLK_LOCAL_MEM_FENCE)
#define GLOBAL_ID(axis) get_global_id(axis)
#define LOCAL_ID(axis) get_local_id(axis)
#define GROUP_ID(axis) get_group_id(axis)
#define GLOBAL_SIZE(axis) get_global_size(axis)
#define LOCAL_SIZE(axis) get_local_size(axis)
#define ATOMIC_INC(address) atomic_inc(address)

// Vectors of 8 and 16 floats, which may lie at any address that a float may lie at.
typedef float8 vec8;
typedef float16 vec16;
typedef float8 vec8_anywhere __attribute__((aligned(4)));
typedef float16 vec16_anywhere __attribute__((aligned(4)));
#define SPLAT16(value) ((float16)(value))
#define LOAD8(address) (*(GLOBAL const vec8_anywhere *)(address))
#define LOAD16(address) (*(GLOBAL const vec16_anywhere *)(address))
#define STORE8(address, value) (*(GLOBAL vec8_anywhere *)(address) = (value))
#define STORE16(address, value) (*(GLOBAL vec16_anywhere *)(address) = (value))
#define LOWER(vector) ((vector).lo)
#define UPPER(vector) ((vector).hi)
#define PAIR(vector, lower, upper) ((vector).lo = (lower), (vector).hi = (upper))
#define LANE(vector, lane) ((vector)[lane])

DEVICE float vector_total(float16 v) {
    float8 a = v.lo + v.hi;
    float4 b = a.lo + a.hi;
    float2 c = b.lo + b.hi;
    return c.x + c.y;
}
