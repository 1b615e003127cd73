// What makes the sources of this folder OpenCL C. prelude_cuda.h defines the same names for CUDA C.
#define KERNEL __kernel void
// Before a kernel that is written in vectors: the compiler need not make vectors of neighbouring work-items, too.
#define VECTORS __attribute__((vec_type_hint(float16)))
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

// Vectors of 4, 8 and 16 floats, which may lie at any address that a float may lie at.
typedef float4 vec4;
typedef float8 vec8;
typedef float16 vec16;
typedef float4 vec4_anywhere __attribute__((aligned(4)));
typedef float8 vec8_anywhere __attribute__((aligned(4)));
typedef float16 vec16_anywhere __attribute__((aligned(4)));
#define SPLAT4(value) ((float4)(value))
#define SPLAT16(value) ((float16)(value))
#define LOAD4(address) (*(GLOBAL const vec4_anywhere *)(address))
#define LOAD8(address) (*(GLOBAL const vec8_anywhere *)(address))
#define LOAD16(address) (*(GLOBAL const vec16_anywhere *)(address))
#define STORE4(address, value) (*(GLOBAL vec4_anywhere *)(address) = (value))
#define STORE8(address, value) (*(GLOBAL vec8_anywhere *)(address) = (value))
#define STORE16(address, value) (*(GLOBAL vec16_anywhere *)(address) = (value))
// A write past the caches, to an address that a vec16 may lie at. A plain write first reads what it overwrites.
#define STREAM16(address, value) __builtin_nontemporal_store((value), (GLOBAL vec16 *)(address))
#define POSITIVE16(vector) ((vector) > 0.0f ? (vector) : SPLAT16(0.0f))
// Lane by lane: keeps the larger of two numbers, and the number of that which it was; and x within +-limit.
#define KEEP_LARGER16(largest, which, vector, number) \
    ((which) = (vector) > (largest) ? SPLAT16(number) : (which), (largest) = (vector) > (largest) ? (vector) : (largest))
#define BETWEEN16(x, limit) \
    ((x) = (x) > (limit) ? SPLAT16(limit) : (x), (x) = (x) < -(limit) ? SPLAT16(-(limit)) : (x))
#define LOWER(vector) ((vector).lo)
#define UPPER(vector) ((vector).hi)
#define PAIR(vector, lower, upper) ((vector).lo = (lower), (vector).hi = (upper))
#define LANE(vector, lane) ((vector)[lane])

// A vector of 16 is no argument of a function: on CPUs without registers of that size compilers warn of it.
#define VECTOR_TOTAL(v) total_of_4(((v).lo.lo + (v).hi.lo) + ((v).lo.hi + (v).hi.hi))
DEVICE float total_of_4(float4 v) {
    float2 halves = v.lo + v.hi;
    return halves.x + halves.y;
}
