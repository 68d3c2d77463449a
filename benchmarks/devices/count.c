/* A plugin for QEMU 7.2 (plugin API 1) that counts what an emulated 64-bit Arm program executes, exactly.
 *
 * QEMU translates blocks of instructions that end with a branch. Each block's executions are counted, and what is in it
 * is known from its translation. The program says when by getpriority(MARK, n), which no kernel grants: with n = 0
 * counting begins anew; with n > 0 what was executed since then is written as a line of JSON, and with it the blocks
 * that make up most of it, as instruction words. One thread at a time may be counted: counters are not atomic.
 *
 *     cc -O2 -shared -fPIC -o count.so count.c
 *     qemu-aarch64 -plugin ./count.so,out=counts.jsonl ...
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As in qemu-plugin.h, for which there is no package in Debian. */
typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
#define EXPORT __attribute__((visibility("default")))
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int op, void *, uint64_t);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
void qemu_plugin_register_vcpu_syscall_cb(qemu_plugin_id_t,
                                          void (*)(qemu_plugin_id_t, unsigned, int64_t, uint64_t, uint64_t, uint64_t,
                                                   uint64_t, uint64_t, uint64_t, uint64_t, uint64_t));
EXPORT int qemu_plugin_version = 1;

enum { GETPRIORITY = 141, MARK = 0x65707721, HOT_BLOCKS = 1000 };
enum kind { DOT, MULTIPLY, VECTOR, LOAD, STORE, BRANCH, OTHER, KINDS };
static const char *const NAMES[KINDS] = {"dot", "multiply", "vector", "load", "store", "branch", "other"};

struct block {
    struct block *next;
    uint64_t runs, before; /* executions, and those at the last mark */
    uint32_t size, of[KINDS], loaded, stored; /* instructions, of each kind, bytes */
    uint32_t words[];
};

static struct block *blocks;
static FILE *out;

static bool is(uint32_t word, uint32_t mask, uint32_t value) { return (word & mask) == value; }

/* Bytes that a load or store moves ("Loads and Stores", Arm Architecture Reference Manual, C4.1.94); 0 for a prefetch. */
static uint32_t bytes_of(uint32_t w, bool *store, bool *both) {
    uint32_t size = w >> 30, opc = w >> 22 & 3;
    bool vector = w >> 26 & 1;
    *both = false;
    *store = !(w >> 22 & 1);
    if (is(w, 0xbfbf0000, 0x0c000000) || is(w, 0xbfa00000, 0x0c800000)) { /* LD1 to LD4, whole registers */
        static const uint8_t registers[16] = {4, 0, 4, 0, 3, 0, 3, 1, 2, 0, 2};
        return registers[w >> 12 & 15] * (w >> 30 & 1 ? 16u : 8u);
    }
    if (is(w, 0xbf000000, 0x0d000000)) { /* of one lane, or one to all lanes */
        uint32_t code = w >> 13 & 7, lanes = ((code & 1) << 1 | (w >> 21 & 1)) + 1, scale = code >> 1;
        if (scale == 3) scale = w >> 10 & 3;
        else if (scale == 2 && (w >> 10 & 1)) scale = 3;
        return lanes << scale;
    }
    if (is(w, 0x3a000000, 0x28000000)) /* pairs */
        return 2 * (vector ? 4u << size : size == 2 ? 8 : 4);
    if (is(w, 0x3b000000, 0x18000000)) { /* near the program counter */
        *store = false;
        return vector ? 4u << size : size == 3 ? 0 : size == 1 ? 8 : 4;
    }
    if (is(w, 0x3a000000, 0x38000000)) {
        if (vector) return size == 0 && (opc & 2) ? 16 : 1u << size;
        if (is(w, 0x3f200c00, 0x38200000)) *both = true; /* atomic */
        *store = opc == 0;
        return size == 3 && opc == 2 ? 0 : 1u << size;
    }
    if (is(w, 0x3f000000, 0x08000000)) return 1u << size; /* exclusive */
    return 0;
}

static enum kind kind_of(uint32_t w) {
    if (is(w, 0x0a000000, 0x08000000)) {
        bool store, both;
        bytes_of(w, &store, &both);
        return store ? STORE : LOAD;
    }
    if (is(w, 0x1c000000, 0x14000000)) return BRANCH; /* and system instructions */
    if (!is(w, 0x0e000000, 0x0e000000)) return OTHER;
    if (is(w, 0x9fe0fc00, 0x0e809400) || is(w, 0x9fc0f400, 0x0f80e000)) return DOT; /* SDOT and UDOT */
    if (is(w, 0x9f200c00, 0x0e200000)) { /* of two widths */
        uint32_t code = w >> 12 & 15;
        return code == 8 || code == 10 || code == 12 ? MULTIPLY : VECTOR;
    }
    if (is(w, 0x9f200400, 0x0e200400)) { /* of the same width */
        uint32_t code = w >> 11 & 31;
        return code == 18 || code == 19 || code == 22 || code == 25 || code == 27 ? MULTIPLY : VECTOR;
    }
    if (is(w, 0x9f000400, 0x0f000000)) return MULTIPLY; /* by one lane */
    return VECTOR;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
    size_t size = qemu_plugin_tb_n_insns(tb);
    struct block *block = calloc(1, sizeof *block + size * sizeof *block->words);
    (void)id;
    if (!block) abort();
    block->size = size;
    for (size_t i = 0; i < size; i++) {
        uint32_t word;
        bool store, both;
        memcpy(&word, qemu_plugin_insn_data(qemu_plugin_tb_get_insn(tb, i)), sizeof word);
        enum kind kind = kind_of(word);
        block->words[i] = word;
        block->of[kind]++;
        if (kind == LOAD || kind == STORE) {
            uint32_t bytes = bytes_of(word, &store, &both);
            if (store || both) block->stored += bytes;
            if (!store || both) block->loaded += bytes;
        }
    }
    block->next = blocks;
    blocks = block;
    qemu_plugin_register_vcpu_tb_exec_inline(tb, 0, &block->runs, 1);
}

static int by_work(const void *a, const void *b) {
    const struct block *x = *(struct block *const *)a, *y = *(struct block *const *)b;
    uint64_t p = (x->runs - x->before) * x->size, q = (y->runs - y->before) * y->size;
    return p < q ? 1 : p > q ? -1 : 0;
}

static void report(uint64_t number) {
    uint64_t of[KINDS] = {0}, total = 0, loaded = 0, stored = 0;
    struct block *hot[1 << 17];
    size_t count = 0;
    for (struct block *b = blocks; b; b = b->next) {
        uint64_t runs = b->runs - b->before;
        if (!runs) continue;
        total += runs * b->size;
        loaded += runs * b->loaded;
        stored += runs * b->stored;
        for (int k = 0; k < KINDS; k++) of[k] += runs * b->of[k];
        if (count < sizeof hot / sizeof *hot) hot[count++] = b;
    }
    qsort(hot, count, sizeof *hot, by_work);
    fprintf(out, "{\"mark\":%" PRIu64 ",\"instructions\":%" PRIu64 ",\"loaded\":%" PRIu64 ",\"stored\":%" PRIu64, number,
            total, loaded, stored);
    for (int k = 0; k < KINDS; k++) fprintf(out, ",\"%s\":%" PRIu64, NAMES[k], of[k]);
    fprintf(out, ",\"blocks\":[");
    for (size_t i = 0; i < count && i < HOT_BLOCKS; i++) {
        fprintf(out, "%s[%" PRIu64 ",\"", i ? "," : "", hot[i]->runs - hot[i]->before);
        for (uint32_t j = 0; j < hot[i]->size; j++) fprintf(out, "%08" PRIx32, hot[i]->words[j]);
        fprintf(out, "\"]");
    }
    fprintf(out, "]}\n");
    fflush(out);
}

static void asked(qemu_plugin_id_t id, unsigned vcpu, int64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                  uint64_t e, uint64_t f, uint64_t g, uint64_t h) {
    (void)id, (void)vcpu, (void)c, (void)d, (void)e, (void)f, (void)g, (void)h;
    if (number != GETPRIORITY || (uint32_t)a != MARK) return;
    if (b) report(b);
    for (struct block *block = blocks; block; block = block->next) block->before = block->runs;
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv) {
    (void)info;
    for (int i = 0; i < argc; i++)
        if (!strncmp(argv[i], "out=", 4)) out = fopen(argv[i] + 4, "w");
    if (!out) return 1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_vcpu_syscall_cb(id, asked);
    return 0;
}
