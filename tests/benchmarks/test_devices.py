"""Counting by instruction: what the plugin takes each word for, and what LLVM's model makes of a block."""

import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.devices import estimate
from benchmarks.devices.__main__ import traffic
from edge_runtime.model import bundle, installed
from edge_runtime.model.engines.tensors import multiply_adds

PLUGIN = Path(__file__).parents[2] / "benchmarks" / "devices" / "count.c"
# The plugin's decoder as a program, without QEMU behind it.
_PROGRAM = r"""
#include "%s"
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t i, void (*f)(qemu_plugin_id_t, struct qemu_plugin_tb *))
{ (void)i, (void)f; }
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *t, int o, void *p, uint64_t v)
{ (void)t, (void)o, (void)p, (void)v; }
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *t) { (void)t; return 0; }
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *t, size_t i) {
    (void)t, (void)i;
    return 0;
}
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *i) { return i; }
void qemu_plugin_register_vcpu_syscall_cb(qemu_plugin_id_t i,
    void (*f)(qemu_plugin_id_t, unsigned, int64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
              uint64_t, uint64_t)) { (void)i, (void)f; }
int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        uint32_t word = strtoul(argv[i], 0, 16);
        bool store, both;
        enum kind kind = kind_of(word);
        printf("%%s %%u\n", NAMES[kind], kind == LOAD || kind == STORE ? bytes_of(word, &store, &both) : 0);
    }
}
"""
# Words as LLVM's assembler makes them.
_WORDS = {
    "4e809400": "dot 0",  # sdot v0.4s, v0.16b, v0.16b
    "4f80e090": "dot 0",  # sdot v16.4s, v4.16b, v0.4b[0]
    "6e809400": "dot 0",  # udot v0.4s, v0.16b, v0.16b
    "0e20c082": "multiply 0",  # smull v2.8h, v4.8b, v0.8b
    "4e208020": "multiply 0",  # smlal2 v0.8h, v1.16b, v0.16b
    "4e209c20": "multiply 0",  # mul v0.16b, v1.16b, v0.16b
    "4e20cc20": "multiply 0",  # fmla v0.4s, v1.4s, v0.4s
    "4e206820": "vector 0",  # sadalp v0.8h, v1.16b
    "4e208420": "vector 0",  # add v0.16b, v1.16b, v0.16b
    "3cc105a0": "load 16",  # ldr q0, [x13], #16
    "3d8003e0": "store 16",  # str q0, [sp]
    "bd400020": "load 4",  # ldr s0, [x1]
    "a8c17bfd": "load 16",  # ldp x29, x30, [sp], #16
    "ad0007e0": "store 32",  # stp q0, q1, [sp]
    "4cdf2020": "load 64",  # ld1 {v0.16b, v1.16b, v2.16b, v3.16b}, [x1], #64
    "4d40c820": "load 4",  # ld1r {v0.4s}, [x1]
    "39400020": "load 1",  # ldrb w0, [x1]
    "f980e0a0": "load 0",  # prfm pldl1keep, [x5, #448]
    "58000040": "load 8",  # ldr x0, #8
    "c85ffc20": "load 8",  # ldaxr x0, [x1]
    "d65f03c0": "branch 0",  # ret
    "54000040": "branch 0",  # b.eq #8
    "8b0d000f": "other 0",  # add x15, x0, x13
    "9b017c00": "other 0",  # mul x0, x0, x1
}


def test_every_kind_of_instruction_is_known_with_the_bytes_it_moves(tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        pytest.skip("needs a C compiler")
    (tmp_path / "decode.c").write_text(_PROGRAM % PLUGIN)
    subprocess.run(["cc", "-Wall", "-Werror", "-o", tmp_path / "decode", tmp_path / "decode.c"], check=True)

    said = subprocess.run([tmp_path / "decode", *_WORDS], check=True, capture_output=True, text=True).stdout

    assert dict(zip(_WORDS, said.splitlines(), strict=True)) == _WORDS


def test_models_work_is_reckoned_from_its_file() -> None:
    model = bundle.read(installed.path("full")).tflite

    read, written = traffic(model)

    # VGG-16 at 224 x 224: 15.3 G; its first two layers alone write 2 x 224 x 224 x 64 bytes.
    assert multiply_adds(model) == pytest.approx(15.3e9, rel=0.01)
    assert 2 * 224 * 224 * 64 < written < read + 224 * 224 * 64 < 20e6


@pytest.mark.parametrize("processor", ["cortex-a72", "neoverse-n1"])
def test_cycles_are_those_of_the_blocks_and_of_the_rest_alike(processor: str) -> None:
    if not estimate.is_there():
        pytest.skip("needs llvm-mca of LLVM 19 or newer")
    # Four multiplies, each of which waits for the one before, run ten times; and as much that is not told.
    counted = {"instructions": 80, "blocks": [[10, "9b017c00" * 4]]}

    found = estimate.cycles(counted, processor)

    assert found.covered == 0.5
    assert 2 * 10 * 4 * 2 <= found.cycles <= 2 * 10 * 4 * 6
