// A plugin for QEMU's translator (API version 1: QEMU 4.2 to 8.2): counts what a guest does between two marks, exactly.
//
// The guest marks by instructions without effect: `xchg bx,bx` where a region starts, `xchg cx,cx` where it stops, `xchg dx,dx`
// after the last region of a series, `xchg si,si` if a region is to start with the next interrupt (userspace/rt/src/time.rs). One line is
// written per region, per series and at the end, and before a series ends one for each place of code that its regions went through, with
// the first bytes of that code, which say whose it is; their reader is tools/cap/src/bench/count.rs. A region is counted on all processors together, for one of them at a time: the machine runs on
// one host thread.
//
// Arguments: out=FILE, and traps=ADDRESS of the 256 entry stubs of the kernel, 16 bytes each, in the order of the vectors.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu.h"

// In the order of a line.
enum { USER, KERNEL, CROSSINGS, CR3, DEVICE, INTERRUPTS, REP, COUNTS };
enum { STUBS = 256, STUB = 16, EXCEPTIONS = 32, CPUS = 64, CODE = 48 };
static uint64_t count[COUNTS], start[COUNTS], traps;
static bool counting, awaiting, was_kernel[CPUS];
static FILE *out;

// Blocks of code as they were translated, and how often each ran within regions of this series. Programs have the same addresses, but
// not the same code.
struct block {
  struct block *next;
  uint64_t address, size, runs;
  size_t bytes;
  uint8_t code[CODE];
};
static struct block *blocks;

static void on_start(unsigned cpu, void *unused) {
  memcpy(start, count, sizeof count);
  counting = true;
}

static void on_await(unsigned cpu, void *unused) {
  awaiting = true;
  counting = false;
}

// Its own first instruction belongs to the region.
static void on_interrupt(unsigned cpu, void *unused) {
  if (awaiting) on_start(cpu, NULL);
  awaiting = false;
}

static void tell(const char *what, const uint64_t since[COUNTS]) {
  fputs(what, out);
  for (int n = 0; n < COUNTS; n++) fprintf(out, " %llu", (unsigned long long)(count[n] - since[n]));
  fputc('\n', out);
}

static void on_stop(unsigned cpu, void *unused) {
  if (counting) tell("region", start);
  counting = false;
}

// An interrupt may leave a block early: what is told of places is theirs but for that.
static void tell_places(void) {
  for (struct block *block = blocks; block; block = block->next) {
    if (!block->runs) continue;
    fprintf(out, "at %llx %llu ", (unsigned long long)block->address, (unsigned long long)(block->runs * block->size));
    for (size_t n = 0; n < block->bytes; n++) fprintf(out, "%02x", block->code[n]);
    fputc('\n', out);
    block->runs = 0;
  }
}

static void on_run(unsigned cpu, void *block) {
  if (counting) ((struct block *)block)->runs++;
}

static void on_series(unsigned cpu, void *unused) {
  counting = false;
  tell_places();
  fputs("series\n", out);
  fflush(out);
}

// All instructions of a block are on the same side.
static void on_side(unsigned cpu, void *kernel) {
  if (was_kernel[cpu % CPUS] != (kernel != NULL)) {
    was_kernel[cpu % CPUS] = kernel != NULL;
    count[CROSSINGS]++;
  }
}

static void on_store(unsigned cpu, qemu_plugin_meminfo_t info, uint64_t address, void *unused) {
  struct qemu_plugin_hwaddr *where = qemu_plugin_get_hwaddr(info, address);
  if (where && qemu_plugin_hwaddr_is_io(where)) count[DEVICE]++;
}

struct code {
  const uint8_t *bytes;
  size_t size;
  bool repeated, wide;
};

// Skips the prefixes that matter: operand size, repetition, REX.
static struct code opcode(const struct qemu_plugin_insn *insn) {
  struct code code = {qemu_plugin_insn_data(insn), qemu_plugin_insn_size(insn), false, false};
  for (; code.size > 1; code.bytes++, code.size--) {
    uint8_t byte = code.bytes[0];
    if (byte == 0xf2 || byte == 0xf3) code.repeated = true;
    else if (byte == 0x66) code.wide = true;
    else if ((byte & 0xf0) != 0x40) break;
  }
  return code;
}

static bool is_string(uint8_t op) {
  return (op >= 0xa4 && op <= 0xa7) || (op >= 0xaa && op <= 0xaf) || (op >= 0x6c && op <= 0x6f);
}

static bool is_port_output(uint8_t op) {
  return op == 0xe6 || op == 0xe7 || op == 0xee || op == 0xef || op == 0x6e || op == 0x6f;
}

static bool is_cr3_write(struct code code) {
  return code.size >= 3 && code.bytes[0] == 0x0f && code.bytes[1] == 0x22 && (code.bytes[2] >> 3 & 7) == 3;
}

static on_execution marked(struct code code) {
  if (code.size != 2 || !code.wide || code.bytes[0] != 0x87) return NULL;
  switch (code.bytes[1]) {
  case 0xdb: return on_start;
  case 0xc9: return on_stop;
  case 0xd2: return on_series;
  case 0xf6: return on_await;
  default: return NULL;
  }
}

static bool is_interrupt(uint64_t address) {
  uint64_t from = address - traps;
  return traps && address >= traps && from % STUB == 0 && from / STUB >= EXCEPTIONS && from / STUB < STUBS;
}

static void keep(struct block *block, const struct qemu_plugin_insn *insn) {
  size_t size = qemu_plugin_insn_size(insn), room = CODE - block->bytes;
  if (size > room) size = room;
  memcpy(block->code + block->bytes, qemu_plugin_insn_data(insn), size);
  block->bytes += size;
}

static void add(struct qemu_plugin_insn *insn, int which) {
  qemu_plugin_register_vcpu_insn_exec_inline(insn, ADD, &count[which], 1);
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *block) {
  bool kernel = qemu_plugin_tb_vaddr(block) >> 63;
  qemu_plugin_register_vcpu_tb_exec_cb(block, on_side, NO_REGISTERS, kernel ? &count[KERNEL] : NULL);
  struct block *known = calloc(1, sizeof *known);
  if (known) {
    *known = (struct block){blocks, qemu_plugin_tb_vaddr(block), qemu_plugin_tb_n_insns(block), 0, 0, {0}};
    blocks = known;
    qemu_plugin_register_vcpu_tb_exec_cb(block, on_run, NO_REGISTERS, known);
  }
  for (size_t n = 0; n < qemu_plugin_tb_n_insns(block); n++) {
    struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(block, n);
    if (known) keep(known, insn);
    struct code code = opcode(insn);
    bool interrupt = is_interrupt(qemu_plugin_insn_vaddr(insn));
    if (interrupt) qemu_plugin_register_vcpu_insn_exec_cb(insn, on_interrupt, NO_REGISTERS, NULL);
    add(insn, kernel ? KERNEL : USER);
    if (code.repeated && is_string(code.bytes[0])) add(insn, REP);
    if (is_port_output(code.bytes[0])) add(insn, DEVICE);
    if (is_cr3_write(code)) add(insn, CR3);
    if (interrupt) add(insn, INTERRUPTS);
    qemu_plugin_register_vcpu_mem_cb(insn, on_store, NO_REGISTERS, MEMORY_WRITE, NULL);
    on_execution mark = marked(code);
    if (mark) qemu_plugin_register_vcpu_insn_exec_cb(insn, mark, NO_REGISTERS, NULL);
  }
}

static void on_end(qemu_plugin_id_t id, void *unused) {
  static const uint64_t nothing[COUNTS];
  tell("total", nothing);
  fclose(out);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv) {
  for (int n = 0; n < argc; n++) {
    if (!strncmp(argv[n], "out=", 4)) out = fopen(argv[n] + 4, "w");
    if (!strncmp(argv[n], "traps=", 6)) traps = strtoull(argv[n] + 6, NULL, 0);
  }
  if (!out) {
    fputs("count: out=FILE is missing or cannot be written\n", stderr);
    return 1;
  }
  qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
  qemu_plugin_register_atexit_cb(id, on_end, NULL);
  return 0;
}
