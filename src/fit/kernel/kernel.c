/* Trains many small multilayer perceptrons: members outside, steps inside.

   A member's weights and what its optimizer remembers are copied into a few kilobytes that stay in the first caches
   while all the steps of a call are taken. Nothing of a member depends on another, and every sum is added in an order
   that does not depend on the number of threads: its last bits are the same alone and in company.

   `real` is float, or double with -DDOUBLE. Vectors are GCC's and Clang's own; products and sums that are to be one
   operation say so (`fma`), so that no compiler decides it (-ffp-contract=off). generated.h holds the activations,
   losses and optimizers, from the catalog. */

#include <math.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#if defined __x86_64__
#include <immintrin.h>
#elif defined __aarch64__
#include <arm_neon.h>
#endif

#ifdef DOUBLE
typedef double real;
typedef int64_t whole;
#else
typedef float real;
typedef int32_t whole;
#endif

#ifndef BYTES
#if defined __AVX512F__
#define BYTES 64
#elif defined __AVX__
#define BYTES 32
#else
#define BYTES 16
#endif
#endif
typedef real vec __attribute__((vector_size(BYTES)));
typedef whole ivec __attribute__((vector_size(BYTES)));
typedef real loose __attribute__((vector_size(BYTES), aligned(sizeof(real)))); /* anywhere in memory */
#define LANES ((int)(BYTES / sizeof(real)))
#define INLINE static inline __attribute__((always_inline))
#define c(number) ((real)(number))

/* ---- Numbers ---------------------------------------------------------------------------------------------------- */

INLINE vec all(real x) { return x - (vec){0}; }
INLINE vec fma_(vec a, vec b, vec c) {
#if defined __AVX512F__ && BYTES == 64 && defined DOUBLE
    return _mm512_fmadd_pd(a, b, c);
#elif defined __AVX512F__ && BYTES == 64
    return _mm512_fmadd_ps(a, b, c);
#elif defined __FMA__ && BYTES == 32 && defined DOUBLE
    return _mm256_fmadd_pd(a, b, c);
#elif defined __FMA__ && BYTES == 32
    return _mm256_fmadd_ps(a, b, c);
#elif defined __aarch64__ && defined DOUBLE
    return (vec)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
#elif defined __aarch64__
    return (vec)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
    return a * b + c;
#endif
}
INLINE vec root(vec x) {
#if defined __AVX512F__ && BYTES == 64 && defined DOUBLE
    return _mm512_sqrt_pd(x);
#elif defined __AVX512F__ && BYTES == 64
    return _mm512_sqrt_ps(x);
#elif defined __AVX__ && BYTES == 32 && defined DOUBLE
    return _mm256_sqrt_pd(x);
#elif defined __AVX__ && BYTES == 32
    return _mm256_sqrt_ps(x);
#else
    for (int i = 0; i < LANES; i++) x[i] = sizeof(real) == 4 ? sqrtf(x[i]) : sqrt(x[i]);
    return x;
#endif
}
INLINE vec choose(ivec where, vec yes, vec no) { return (vec)((where & (ivec)yes) | (~where & (ivec)no)); }
INLINE vec absolute(vec x) { return (vec)((ivec)x & ~(ivec)all(c(-0.0))); }
INLINE vec with_sign(vec size, vec sign) { return (vec)((ivec)size | ((ivec)sign & (ivec)all(c(-0.0)))); }
INLINE vec least(vec a, vec b) { return choose(a > b, b, a); }   /* NaN stays */
INLINE vec most(vec a, vec b) { return choose(a < b, b, a); }
INLINE real sum(vec x) {
    real half[LANES];
    memcpy(half, &x, sizeof x);
    for (int n = LANES / 2; n; n /= 2)
        for (int i = 0; i < n; i++) half[i] += half[i + n];
    return half[0];
}

/* Polynomials fitted by Chebyshev's method in 60 digits; tests/training/test_kernel.py compares with torch. */
#ifdef DOUBLE
#define MAGIC 6755399441055744.0 /* added and taken away, it rounds to a whole number */
#define BIAS 1023
#define FRACTION 52
#define TINY (-708.0)
static const real LN2[2] = {0.6931471805599453, 2.3190468138462996e-17};
static const real PI[3] = {3.141592653589793, 1.2246467991473532e-16, -2.9947698097183397e-33};
static const real EXP[] = {0.5000000000000001, 0.16666666666666667, 0.041666666666624128, 0.0083333333333300618,
    0.0013888888917213717, 0.00019841269863053617, 2.4801521295954375e-5, 2.7557268459997065e-6,
    2.7620088445409748e-7, 2.5100385495510319e-8};
static const real ATANH[] = {0.33333333333333333, 0.19999999999999761, 0.14285714285800132, 0.11111111099108056,
    0.090909099496339795, 0.076922719588765823, 0.066675898307578551, 0.058671325896882966, 0.054226455163899064,
    0.037458197303366328, 0.078157673537156122};
static const real SIN[] = {-0.16666666666666667, 0.0083333333333333333, -0.00019841269841269806, 2.7557319223971175e-6,
    -2.5052108382376189e-8, 1.6059043477994521e-10, -7.6471390485504729e-13, 2.8104668165902531e-15,
    -8.0058580599805512e-18};
static const real COS[] = {0.041666666666666667, -0.0013888888888888889, 2.4801587301587285e-5, -2.755731922397919e-7,
    2.0876756986472232e-9, -1.1470745434350533e-11, 4.7794660948561322e-14, -1.561469859038243e-16,
    4.0125876448335245e-19};
#define MILLS_SCALE 0.2
static const real MILLS[] = {0.079788456089561756, 0.079788455467357707, 0.076596936592408184, 0.070213487760115323,
    0.061026821579044681, 0.049743755728627916, 0.037908145149748078, 0.023767293864490572, 0.023676143192783045,
    -0.024784249819497301, 0.096730131042157968, -0.23470268258424823, 0.46417383717517596, -0.75707800348002225,
    0.98641687564726739, -1.0226051548324846, 0.8248691528741359, -0.49919569827686778, 0.21708270667069917,
    -0.063882088981848639, 0.011398886098713914, -0.0009332069573188149};
#else
#define MAGIC 12582912.0f
#define BIAS 127
#define FRACTION 23
#define TINY (-87.3f)
static const real LN2[2] = {0.6931471824645996f, -1.9046542121259336e-09f};
static const real PI[3] = {3.1415927410125732f, -8.742277657347586e-08f, -3.4302490200117637e-15f};
static const real EXP[] = {0.5f, 0.16666577f, 0.0416665546f, 0.00836317905f, 0.00139261836f};
static const real ATANH[] = {0.333333202f, 0.200037815f, 0.141182733f, 0.134260136f};
static const real SIN[] = {-0.16666666f, 0.00833324186f, -0.000198227029f, 2.63463803e-6f};
static const real COS[] = {0.0416666661f, -0.00138888123f, 2.47860518e-5f, -2.65450733e-7f};
#define MILLS_SCALE 0.25f
static const real MILLS[] = {0.0998168107f, 0.0981827782f, 0.1061683f, 0.0233047751f, 0.22472243f, -0.239553376f,
    0.326081636f, -0.167508098f, 0.028784736f};
#endif
#define POLYNOMIAL(x, table) polynomial(x, table, sizeof table / sizeof *table)
INLINE vec polynomial(vec x, const real *table, int terms) {
    vec value = all(table[terms - 1]);
#pragma GCC unroll 32
    for (int i = terms - 2; i >= 0; i--) value = fma_(value, x, all(table[i]));
    return value;
}

/* For x <= 0: exp(x) - 1 = scale * less + (scale - 1), where scale is a power of two. */
INLINE vec power_of_two(vec x, vec *less) {
    vec shifted = fma_(x, all(c(1.4426950408889634)), all(MAGIC)), n = shifted - MAGIC;
    vec r = fma_(n, all(-LN2[1]), fma_(n, all(-LN2[0]), x));
    *less = fma_(r * r, POLYNOMIAL(r, EXP), r);
    return (vec)(((ivec)shifted + BIAS) << FRACTION);
}
INLINE vec exp_(vec x) { /* for x <= 0 */
    vec less, scale = power_of_two(x, &less);
    return choose(x < TINY, (vec){0}, fma_(scale, less, scale));
}
INLINE vec expm1_(vec x) { /* for x <= 0 */
    vec less, scale = power_of_two(x, &less);
    return choose(x < TINY, all(-1), fma_(scale, less, scale - 1));
}
INLINE vec log1p_(vec x) { /* for x in [0, 1] */
    vec s = x / (x + 2), square = s * s;
    return 2 * fma_(s * square, POLYNOMIAL(square, ATANH), s);
}
INLINE vec tanh_(vec x) {
    vec t = expm1_(-2 * absolute(x));
    return with_sign(absolute(t / (t + 2)), x);
}
INLINE vec sigmoid_(vec x) {
    vec e = exp_(-absolute(x)), part = 1 / (e + 1);
    return choose(x < 0, e * part, part);
}
INLINE vec softplus_(vec x) { return most(x, (vec){0}) + log1p_(exp_(-absolute(x))); }
/* The distribution function of the normal distribution, and its density: exp(-x^2/2) times Mills' ratio. */
INLINE vec normal_(vec x, vec *density) {
    vec size = absolute(x), e = exp_(c(-0.5) * size * size), t = 1 / fma_(size, all(MILLS_SCALE), all(1));
    vec tail = e * t * POLYNOMIAL(t, MILLS);
    *density = e * c(0.3989422804014327);
    return choose(x < 0, tail, 1 - tail);
}
INLINE vec sin_(vec x, vec *cosine) {
    vec shifted = fma_(x, all(c(0.3183098861837907)), all(MAGIC)), n = shifted - MAGIC;
    ivec far = absolute(x) > c(1e5), odd = (ivec)shifted << (8 * sizeof(real) - 1);
    vec r = fma_(n, all(-PI[2]), fma_(n, all(-PI[1]), fma_(n, all(-PI[0]), x))), square = r * r;
    vec sine = fma_(r * square, POLYNOMIAL(square, SIN), r);
    *cosine = fma_(square * square, POLYNOMIAL(square, COS), fma_(square, all(c(-0.5)), all(1)));
    sine = (vec)((ivec)sine ^ odd);
    *cosine = (vec)((ivec)*cosine ^ odd);
    whole any = 0;
    for (int i = 0; i < LANES; i++) any |= far[i];
    for (int i = 0; any && i < LANES; i++)
        if (far[i]) sine[i] = (real)sin(x[i]), (*cosine)[i] = (real)cos(x[i]);
    return sine;
}
INLINE vec sign_(vec x) { return choose(x > 0, all(1), choose(x < 0, all(-1), x)); }

#include "generated.h"

/* ---- What is to be done ----------------------------------------------------------------------------------------- */

#define MOST_LAYERS 32
#define CHUNK 96  /* rows that are passed through the network at once */
#define GROUPS 16 /* into so many sums at most the gradient of a batch is split: threads share these */

typedef struct { /* fit/kernel/task.py has the same */
    int64_t layers, sizes[MOST_LAYERS + 1], bias, activation, output_activation, loss, mean;
    int64_t optimizer, decoupled, by_value, penalized, clipped;
    int64_t members, rows, batch, first, steps, parameters; /* `first` is where in a pass the first step stands */
    int64_t shared_rows, orders, mask_sets, mask_numbers;
    double constants[8];
    const real *inputs, *targets; /* [members or 1, rows, columns] */
    const int64_t *order, *order_of_member; /* [passes, orders, rows]; NULL: as they stand */
    const real *masks; const int64_t *mask_of_member; /* [steps, mask_sets, mask_numbers]; NULL: nothing is dropped */
    const real *scalars, *rates; /* [steps, 4], [steps, members] */
    const real *l1, *l2, *clip, *decay; /* [members] */
    real *theta, *gradient, *state[3]; /* [members, parameters] */
    real *totals; /* [steps, members] */
    char *arena; int64_t arena_bytes; /* one for each worker */
    atomic_llong next, arrived, turn; /* 0 at the start */
} Task;

typedef struct {
    int in, out, deep, wide; /* sizes, and the same filled up to whole vectors */
    int across; /* few outputs: weights are [out][deep], and vectors run over the inputs; else [in][wide] */
    size_t weight, bias, turned; /* where they stand among the numbers of a member */
} Layer;

typedef struct {
    const Task *task;
    int layers;
    size_t numbers, turned;
    Layer layer[MOST_LAYERS];
} Net;

typedef struct { /* a member, in the memory that the workers share */
    real *w, *turned, *totals, *state[3], *gradients[GROUPS];
} Member;
typedef struct { /* what each worker needs for itself */
    real *targets, *values[MOST_LAYERS + 1], *slopes[MOST_LAYERS + 1];
} Room;

static size_t filled(size_t numbers) { return (numbers + LANES - 1) / LANES * LANES; }
/* The numbers of a row: rows a multiple of a kilobyte apart would share a few places of the first cache. */
static size_t row_of(size_t numbers) { return filled(numbers) + (filled(numbers) * sizeof(real) % 1024 == 0 ? LANES : 0); }

static Net describe(const Task *task) {
    Net net = {.task = task, .layers = (int)task->layers};
    for (int l = 0; l < net.layers; l++) {
        Layer *layer = &net.layer[l];
        size_t in = task->sizes[l], out = task->sizes[l + 1], deep = row_of(in), wide = row_of(out);
        int across = wide * in > deep * out;
        *layer = (Layer){.in = in, .out = out, .deep = deep, .wide = wide, .across = across};
        layer->weight = net.numbers;
        layer->bias = layer->weight + (across ? deep * out : wide * in);
        net.numbers = layer->bias + (task->bias ? wide : 0);
        layer->turned = net.turned;
        if (l && !across) net.turned += deep * out;
    }
    return net;
}

/* Lay out what a worker needs; with `arena` NULL only count the bytes. */
static size_t lay_out(const Net *net, char *arena, int groups, Member *member, Room *room) {
    size_t at = 0;
#define TAKE(pointer, count) (pointer) = (real *)(arena + at), at += filled(count) * sizeof(real)
    TAKE(member->w, net->numbers);
    TAKE(member->turned, net->turned);
    TAKE(member->totals, GROUPS);
    for (int s = 0; s < 3; s++) TAKE(member->state[s], net->numbers);
    for (int l = 0; l <= net->layers; l++) {
        size_t numbers = (size_t)CHUNK * row_of(net->task->sizes[l]);
        TAKE(room->values[l], numbers);
        TAKE(room->slopes[l], numbers);
        if (l == net->layers) TAKE(room->targets, numbers);
    }
    for (int group = 0; group < groups; group++) TAKE(member->gradients[group], net->numbers);
    return at;
}

/* Copy numbers [parameters] as torch has them into whole vectors, or back. */
static void pack(const Net *net, const real *from, real *to) {
    memset(to, 0, net->numbers * sizeof(real));
    for (const Layer *l = net->layer; l < net->layer + net->layers; l++) {
        real *w = to + l->weight;
        for (int i = 0; i < l->in; i++, from += l->out)
            if (l->across)
                for (int o = 0; o < l->out; o++) w[o * l->deep + i] = from[o];
            else memcpy(w + (size_t)i * l->wide, from, l->out * sizeof(real));
        if (net->task->bias) memcpy(to + l->bias, from, l->out * sizeof(real)), from += l->out;
    }
}
static void unpack(const Net *net, const real *from, real *to) {
    for (const Layer *l = net->layer; l < net->layer + net->layers; l++) {
        const real *w = from + l->weight;
        for (int i = 0; i < l->in; i++, to += l->out)
            if (l->across)
                for (int o = 0; o < l->out; o++) to[o] = w[o * l->deep + i];
            else memcpy(to, w + (size_t)i * l->wide, l->out * sizeof(real));
        if (net->task->bias) memcpy(to, from + l->bias, l->out * sizeof(real)), to += l->out;
    }
}

/* ---- Products --------------------------------------------------------------------------------------------------- */

#define UNROLL _Pragma("GCC unroll 4")
#define AT(pointer) (*(vec *)(pointer))

/* out[r][..] = start[r][..] + sum over k of x[r, k] * w[k][..], for some rows and vectors. */
INLINE void tile(int rows, int vecs, int depth, const real *x, int x_row, int x_k, const real *w, int stride,
                 const real *start, int start_row, real *out, int out_row) {
    vec sums[4][2];
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int v = 0; v < vecs; v++) sums[r][v] = start ? AT(start + r * start_row + v * LANES) : (vec){0};
    for (int k = 0; k < depth; k++)
        UNROLL for (int v = 0; v < vecs; v++) {
            vec weight = AT(w + (size_t)k * stride + v * LANES);
            UNROLL for (int r = 0; r < rows; r++) sums[r][v] = fma_(all(x[r * x_row + k * x_k]), weight, sums[r][v]);
        }
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int v = 0; v < vecs; v++) AT(out + r * out_row + v * LANES) = sums[r][v];
}
static void product(int rows, int numbers, int depth, const real *x, int x_row, int x_k, const real *w, int stride,
                    const real *start, int start_row, real *out, int out_row) {
#define TILE(rows, vecs) \
    tile(rows, vecs, depth, x + r * x_row, x_row, x_k, w + n, stride, start ? start + r * start_row + n : NULL, \
         start_row, out + r * out_row + n, out_row)
    for (int n = 0; n < numbers; n += 2 * LANES) {
        int two = numbers - n >= 2 * LANES, r = 0;
        for (; r + 4 <= rows; r += 4)
            if (two) TILE(4, 2);
            else TILE(4, 1);
        switch (4 * two + rows - r) {
            case 1: TILE(1, 1); break;
            case 2: TILE(2, 1); break;
            case 3: TILE(3, 1); break;
            case 5: TILE(1, 2); break;
            case 6: TILE(2, 2); break;
            case 7: TILE(3, 2); break;
        }
    }
}
/* sums[r][o] = bias[o] + x[r] . w[o] for few outputs. */
static void dots(int rows, const Layer *l, const real *x, const real *w, const real *bias, real *sums) {
    for (int r = 0; r < rows; r++) {
        for (int o = 0; o < l->wide; o += LANES) AT(sums + r * l->wide + o) = (vec){0};
        for (int o = 0; o < l->out; o++) {
            vec even = {0}, odd = {0};
            int i = 0;
            for (; i + 2 * LANES <= l->deep; i += 2 * LANES) {
                even = fma_(AT(x + r * l->deep + i), AT(w + o * l->deep + i), even);
                odd = fma_(AT(x + r * l->deep + i + LANES), AT(w + o * l->deep + i + LANES), odd);
            }
            if (i < l->deep) even = fma_(AT(x + r * l->deep + i), AT(w + o * l->deep + i), even);
            sums[r * l->wide + o] = sum(even + odd) + (bias ? bias[o] : 0);
        }
    }
}

/* ---- The gradient ----------------------------------------------------------------------------------------------- */

static void activate(int64_t which, real *values, real *slopes, int numbers) {
    switch (which) {
#define CASE(id, ...) \
    case id: \
        for (int i = 0; i < numbers; i += LANES) { \
            vec x = AT(values + i), y, d; \
            __VA_ARGS__ \
            AT(values + i) = y, AT(slopes + i) = d; \
        } \
        break;
        ACTIVATIONS(CASE)
#undef CASE
    }
}
/* Put the loss's derivative by the outputs, times `weight`, into the errors; return the sum of its values. */
static vec lose(int64_t which, real *errors, const real *targets, int rows, int wide, int out, real weight, vec total) {
    whole lane[LANES];
    for (int r = 0; r < rows; r++)
        for (int o = 0; o < wide; o += LANES) {
            ivec real_one;
            for (int i = 0; i < LANES; i++) lane[i] = -(o + i < out);
            memcpy(&real_one, lane, sizeof real_one);
            vec e = AT(errors + r * wide + o) - AT(targets + r * wide + o), value = {0}, slope = {0};
            switch (which) {
#define CASE(id, ...) \
    case id: { __VA_ARGS__ } break;
                LOSSES(CASE)
#undef CASE
            }
            total += choose(real_one, value, (vec){0});
            AT(errors + r * wide + o) = choose(real_one, slope * weight, (vec){0});
        }
    return total;
}

static void gather(const real *from, int columns, const int64_t *order, int64_t row, int rows,
                   real *to) {
    int wide = row_of(columns);
    for (int r = 0; r < rows; r++) {
        const real *source = from + (order ? order[row + r] : row + r) * columns;
        for (int i = 0; i < columns; i++) to[r * wide + i] = source[i];
    }
}
static void drop(const real *mask, int rows, int units, real *values, real *slopes) {
    int wide = row_of(units);
    for (int r = 0; r < rows; r++)
        for (int u = 0; u < units; u++) {
            values[r * wide + u] *= mask[r * units + u];
            slopes[r * wide + u] *= mask[r * units + u];
        }
}

typedef struct { /* the batch of a step */
    const real *inputs, *targets, *masks;
    const int64_t *order;
    int64_t row, rows;
    real weight;
} Batch;

/* Add (the first time: write) the gradient of some rows to `gradient`; return the loss's sum with theirs. */
static vec differentiate(const Net *net, const Member *member, Room *room, const Batch *batch, int64_t from, int rows,
                         int first, real *gradient, vec total) {
    const Task *task = net->task;
    int last = net->layers;
    gather(batch->inputs, (int)task->sizes[0], batch->order, batch->row + from, rows, room->values[0]);
    gather(batch->targets, (int)task->sizes[last], batch->order, batch->row + from, rows, room->targets);
    const real *mask = batch->masks;
    for (int l = 0; l < last; l++) {
        const Layer *layer = &net->layer[l];
        real *x = room->values[l], *z = room->values[l + 1];
        const real *w = member->w + layer->weight, *bias = task->bias ? member->w + layer->bias : NULL;
        if (layer->across) dots(rows, layer, x, w, bias, z);
        else product(rows, layer->wide, layer->in, x, layer->deep, 1, w, layer->wide, bias, 0, z, layer->wide);
        activate(l + 1 < last ? task->activation : task->output_activation, z, room->slopes[l + 1], rows * layer->wide);
        for (int r = 0; r < rows; r++) /* what fills up a vector is no input of the next layer */
            for (int o = layer->out; o < layer->wide; o++) z[r * layer->wide + o] = 0;
        if (mask && l + 1 < last) {
            drop(mask + from * layer->out, rows, layer->out, z, room->slopes[l + 1]);
            mask += batch->rows * layer->out;
        }
    }
    const Layer *end = &net->layer[last - 1];
    total = lose(task->loss, room->values[last], room->targets, rows, end->wide, end->out, batch->weight, total);
    for (int l = last - 1; l >= 0; l--) {
        const Layer *layer = &net->layer[l];
        real *x = room->values[l], *delta = room->slopes[l + 1];
        for (int i = 0; i < rows * layer->wide; i += LANES) AT(delta + i) *= AT(room->values[l + 1] + i);
        real *g = gradient + layer->weight, *g_bias = gradient + layer->bias;
        if (layer->across)
            product(layer->out, layer->deep, rows, delta, 1, layer->wide, x, layer->deep, first ? NULL : g,
                    layer->deep, g, layer->deep);
        else
            product(layer->in, layer->wide, rows, x, 1, layer->deep, delta, layer->wide, first ? NULL : g, layer->wide,
                    g, layer->wide);
        for (int o = 0; task->bias && o < layer->wide; o += LANES) {
            vec column = first ? (vec){0} : AT(g_bias + o);
            for (int r = 0; r < rows; r++) column += AT(delta + r * layer->wide + o);
            AT(g_bias + o) = column;
        }
        if (l) {
            const real *w = layer->across ? member->w + layer->weight : member->turned + layer->turned;
            product(rows, layer->deep, layer->out, delta, layer->wide, 1, w, layer->deep, NULL, 0, x, layer->deep);
        }
    }
    return total;
}
static real differentiate_group(const Net *net, const Member *member, Room *room, const Batch *batch, int64_t from,
                                int64_t until, real *gradient) {
    vec total = {0};
    for (int64_t row = from; row < until; row += CHUNK) {
        int rows = (int)(until - row < CHUNK ? until - row : CHUNK);
        total = differentiate(net, member, room, batch, row, rows, row == from, gradient, total);
    }
    return sum(total);
}

/* ---- The update: a part of a member's numbers, [low, high) -------------------------------------------------------- */

static void penalize(const Net *net, const real *w, real *gradient, real l1, real l2, size_t low, size_t high) {
    for (int l = 0; l < net->layers; l++) {
        size_t from = net->layer[l].weight, until = net->layer[l].bias;
        for (size_t i = from > low ? from : low; i < (until < high ? until : high); i += LANES)
            AT(gradient + i) += l1 * sign_(AT(w + i)) + 2 * l2 * AT(w + i);
    }
}
static real norm(const real *gradient, size_t numbers) {
    vec squares = {0};
    for (size_t i = 0; i < numbers; i += LANES) squares = fma_(AT(gradient + i), AT(gradient + i), squares);
    real total = sum(squares);
    return sizeof(real) == 4 ? sqrtf(total) : sqrt(total);
}
typedef struct {
    const real *k, *h; /* numbers of the step, and of the optimizer */
    real rate, scale, limit, decay;
    int decoupled;
} Update;

INLINE void move(int64_t which, int plain, const Update *u, real *w, const real *gradient, real *const *state,
                 size_t low, size_t high) {
    const real *k = u->k, *h = u->h;
    (void)h;
    switch (which) {
#define CASE(id, states, ...) \
    case id: \
        for (size_t i = low; i < high; i += LANES) { \
            vec weight = AT(w + i), g = AT(gradient + i), s0, s1, s2, step; \
            if (!plain) { \
                g = most(least(g * u->scale, all(u->limit)), all(-u->limit)); \
                if (!u->decoupled) g = fma_(all(u->decay), weight, g); \
            } \
            if (states > 0) s0 = AT(state[0] + i); \
            if (states > 1) s1 = AT(state[1] + i); \
            if (states > 2) s2 = AT(state[2] + i); \
            __VA_ARGS__ \
            if (states > 0) AT(state[0] + i) = s0; \
            if (states > 1) AT(state[1] + i) = s1; \
            if (states > 2) AT(state[2] + i) = s2; \
            if (!plain && u->decoupled) step = fma_(all(u->decay), weight, step); \
            AT(w + i) = fma_(all(-u->rate), step, weight); \
        } \
        break;
        OPTIMIZERS(CASE)
#undef CASE
    }
}
static void turn(const Net *net, const real *w, real *turned, int worker, int workers) {
    for (int l = 1; l < net->layers; l++) {
        const Layer *layer = &net->layer[l];
        if (layer->across) continue;
        for (int i = worker * LANES; i < layer->deep; i += workers * LANES) /* a vector of inputs at a time */
            for (int o = 0; o < layer->out; o++)
                for (int n = 0; n < LANES; n++)
                    turned[layer->turned + (size_t)o * layer->deep + i + n] =
                        i + n < layer->in ? w[layer->weight + (size_t)(i + n) * layer->wide + o] : 0;
    }
}

/* ---- Steps ------------------------------------------------------------------------------------------------------ */

/* Wait until all workers are here. They all take part in every step of the one member that they share. */
static void meet(Task *task, int workers, int64_t *turn) {
    if (workers == 1) return;
    int64_t mine = ++*turn;
    if (atomic_fetch_add(&task->arrived, 1) == workers - 1) {
        atomic_store(&task->arrived, 0);
        atomic_store(&task->turn, mine);
    }
    for (int spins = 0; atomic_load(&task->turn) < mine; spins++)
        if (spins > 2000) sched_yield();
}

static void train_member(Task *task, const Net *net, Member *member, Room *room, int64_t m, int worker, int workers) {
    int64_t turns = atomic_load(&task->turn);
    size_t numbers = net->numbers, offset = (size_t)m * task->parameters;
    if (worker == 0) pack(net, task->theta + offset, member->w);
    for (int s = 0; s < 3; s++)
        if (task->state[s] && (s + 1) % workers == worker) pack(net, task->state[s] + offset, member->state[s]);
    meet(task, workers, &turns);
    turn(net, member->w, member->turned, worker, workers);
    meet(task, workers, &turns);
    size_t part = filled((numbers + workers - 1) / workers), low = part * worker, high = low + part;
    if (low > numbers) low = numbers;
    if (high > numbers) high = numbers;
    int64_t per_pass = (task->rows + task->batch - 1) / task->batch, own = task->shared_rows ? 0 : m;
    int64_t outputs = task->sizes[net->layers];
    real h[8];
    for (int i = 0; i < 8; i++) h[i] = (real)task->constants[i];
    for (int64_t step = 0; step < task->steps; step++) {
        int64_t pass = (task->first + step) / per_pass, row = (task->first + step) % per_pass * task->batch;
        int64_t rows = task->rows - row < task->batch ? task->rows - row : task->batch;
        Batch batch = {.inputs = task->inputs + own * task->rows * task->sizes[0],
                       .targets = task->targets + own * task->rows * outputs, .row = row, .rows = rows,
                       .weight = task->mean ? 1 / (real)(rows * outputs) : 1};
        if (task->order)
            batch.order = task->order + (pass * task->orders + task->order_of_member[m]) * task->rows;
        if (task->masks)
            batch.masks = task->masks + (step * task->mask_sets + task->mask_of_member[m]) * task->mask_numbers;
        int64_t each = (rows + GROUPS - 1) / GROUPS;
        each = each < CHUNK ? CHUNK : (each + 3) / 4 * 4;
        int groups = (int)((rows + each - 1) / each);
        real *gradient = member->gradients[0];
        for (int group = worker; group < groups; group += workers) {
            real *sums = member->gradients[workers == 1 && group ? 1 : group];
            int64_t from = group * each, until = from + each < rows ? from + each : rows;
            member->totals[group] = differentiate_group(net, member, room, &batch, from, until, sums);
            if (workers == 1 && group)
                for (size_t i = 0; i < numbers; i += LANES) AT(gradient + i) += AT(sums + i);
        }
        meet(task, workers, &turns);
        if (worker == 0) { /* now: the others write theirs of the next step as soon as this one has moved its part */
            real total = member->totals[0];
            for (int group = 1; group < groups; group++) total += member->totals[group];
            task->totals[step * task->members + m] = total;
        }
        for (int group = 1; workers > 1 && group < groups; group++)
            for (size_t i = low; i < high; i += LANES) AT(gradient + i) += AT(member->gradients[group] + i);
        if (task->penalized) penalize(net, member->w, gradient, task->l1[m], task->l2[m], low, high);
        Update update = {.k = task->scalars + 4 * step, .h = h, .rate = task->rates[step * task->members + m],
                         .scale = 1, .limit = INFINITY, .decay = task->decay[m], .decoupled = (int)task->decoupled};
        if (task->clipped && task->by_value) update.limit = task->clip[m];
        if (task->clipped && !task->by_value && task->clip[m] < INFINITY) {
            meet(task, workers, &turns);
            real scale = task->clip[m] / (norm(gradient, numbers) + c(1e-6));
            update.scale = scale > 1 ? 1 : scale;
        }
        if (task->clipped || update.decay != 0)
            move(task->optimizer, 0, &update, member->w, gradient, member->state, low, high);
        else move(task->optimizer, 1, &update, member->w, gradient, member->state, low, high);
        meet(task, workers, &turns);
        turn(net, member->w, member->turned, worker, workers);
        if (net->turned) meet(task, workers, &turns);
    }
    if (worker == 0) unpack(net, member->w, task->theta + offset);
    if (worker == 1 % workers) unpack(net, member->gradients[0], task->gradient + offset);
    for (int s = 0; s < 3; s++)
        if (task->state[s] && s % workers == worker) unpack(net, member->state[s], task->state[s] + offset);
    meet(task, workers, &turns);
}

/* The bytes that each worker needs. */
int64_t needed(const Task *task, int workers) {
    Net net = describe(task);
    Member member;
    Room room;
    int shared = workers > 1 && task->members < workers;
    return (int64_t)lay_out(&net, NULL, shared ? GROUPS : 2, &member, &room) + BYTES;
}

/* Take the steps of the members that no other worker has taken up; of few members each together. */
void train(Task *task, int worker, int workers) {
    Net net = describe(task);
    Member member, own;
    Room room;
    int shared = workers > 1 && task->members < workers;
    char *arena = (char *)(((uintptr_t)task->arena + BYTES - 1) / BYTES * BYTES);
    lay_out(&net, arena + worker * task->arena_bytes, shared ? GROUPS : 2, &own, &room);
    lay_out(&net, arena, shared ? GROUPS : 2, &member, &(Room){0});
    memset(room.values[0], 0, CHUNK * row_of(task->sizes[0]) * sizeof(real));
    memset(room.targets, 0, CHUNK * row_of(task->sizes[net.layers]) * sizeof(real));
#if defined __x86_64__
    unsigned int mode = _mm_getcsr();
    _mm_setcsr(mode | 0x8040); /* numbers too small to be normal take a hundred times as long, and are as good as 0 */
#endif
    if (shared)
        for (int64_t m = 0; m < task->members; m++) train_member(task, &net, &member, &room, m, worker, workers);
    else
        for (int64_t m; (m = atomic_fetch_add(&task->next, 1)) < task->members;)
            train_member(task, &net, &own, &room, m, 0, 1);
#if defined __x86_64__
    _mm_setcsr(mode);
#endif
}
