#pragma once

namespace ringway::cli {

/// Whether the x86-64 instruction whose bytes begin there locks memory: it has a lock prefix, or is
/// an xchg with memory, which needs none. Up to 17 bytes are looked at.
constexpr bool locks_memory(const unsigned char* code) noexcept {
  constexpr int kPrefixesMax = 14;  // an instruction is at most 15 bytes
  for (int i = 0; i < kPrefixesMax; ++i, ++code) {
    switch (*code) {
      case 0xf0:
        return true;
      case 0x66:
      case 0x67:
      case 0xf2:
      case 0xf3:
      case 0x26:
      case 0x2e:
      case 0x36:
      case 0x3e:
      case 0x64:
      case 0x65:
        continue;
      default:
        break;
    }
    break;
  }
  if ((*code & 0xf0) == 0x40) ++code;  // REX
  const bool exchanges = *code == 0x86 || *code == 0x87;
  return exchanges && code[1] < 0xc0;  // from there on both sides are registers
}

}  // namespace ringway::cli
