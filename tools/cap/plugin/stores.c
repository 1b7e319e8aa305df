// A plugin for QEMU's translator: notes to which pages of RAM processors store, so that whoever looks at memory from outside can tell
// what devices wrote.
//
// Argument: out=FILE, one byte for each page of RAM in the order of its backing file; it becomes 1. The reader may set it back while the
// machine stands still (tools/lab/src/canary).
//
// It does not see what processors write beside instructions: accessed and dirty bits of page tables, and frames of interrupts, which
// are followed by stores of the same stack.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "qemu.h"

enum { PAGE_SHIFT = 12 };
static uint8_t *stored;
static uint64_t pages;

// For RAM QEMU answers with the place in its list of blocks, of which a memory backend is the first.
static void note(qemu_plugin_meminfo_t info, uint64_t address) {
  struct qemu_plugin_hwaddr *where = qemu_plugin_get_hwaddr(info, address);
  if (!where || qemu_plugin_hwaddr_is_io(where)) return;
  uint64_t page = qemu_plugin_hwaddr_phys_addr(where) >> PAGE_SHIFT;
  if (page < pages && !stored[page]) stored[page] = 1;
}

static void on_store(unsigned cpu, qemu_plugin_meminfo_t info, uint64_t address, void *unused) {
  uint64_t last = address + (1ull << qemu_plugin_mem_size_shift(info)) - 1;
  note(info, address);
  if (address >> PAGE_SHIFT != last >> PAGE_SHIFT) note(info, last);
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *block) {
  for (size_t n = 0; n < qemu_plugin_tb_n_insns(block); n++)
    qemu_plugin_register_vcpu_mem_cb(qemu_plugin_tb_get_insn(block, n), on_store, NO_REGISTERS, MEMORY_WRITE, NULL);
}

static bool map(const char *path) {
  struct stat status;
  int file = open(path, O_RDWR);
  if (file < 0 || fstat(file, &status) < 0) return false;
  pages = status.st_size;
  stored = mmap(NULL, pages, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  return stored != MAP_FAILED;
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv) {
  for (int n = 0; n < argc; n++)
    if (!strncmp(argv[n], "out=", 4) && map(argv[n] + 4)) {
      qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
      return 0;
    }
  fputs("stores: out=FILE is missing or cannot be mapped\n", stderr);
  return 1;
}
