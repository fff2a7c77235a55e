; SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
why: what arithmetic (RFC 9669 section 4.1) makes of a bounded number is bounded; r3 is 0 to 15 before. Scratch has 256 bytes

== 15 shifted left by 4 is 240
accept
r3 &= 15
r3 <<= 4
r4 += r3
*(u8 *)(r4 + 15) = 1
r0 = 0
exit

== 15 shifted left by 4 is 240, and 16 too far
refuse: behind its end
r3 &= 15
r3 <<= 4
r4 += r3
*(u8 *)(r4 + 16) = 1
r0 = 0
exit

== 15 times 17 is 255
accept
r3 &= 15
r3 *= 17
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== 15 times 18 is 270
refuse: behind its end
r3 &= 15
r3 *= 18
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== or with 240
accept
r3 &= 15
r3 |= 240
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== or with 256
refuse: behind its end
r3 &= 15
r3 |= 256
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== exclusive or with 255
accept
r3 &= 15
r3 ^= 255
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== exclusive or with 256
refuse: behind its end
r3 &= 15
r3 ^= 256
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== sum with 240
accept
r3 &= 15
r3 += 240
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== sum with 241
refuse: behind its end
r3 &= 15
r3 += 241
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== 15 less 1 may be -1
refuse: before its beginning|not bounded
r3 &= 15
r3 -= 1
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== 15 less 1, then 1 more
accept
r3 &= 15
r3 -= 1
r3 += 1
r4 += r3
*(u8 *)(r4 + 240) = 1
r0 = 0
exit

== shifted right by 1 is at most 7
accept
r3 &= 15
r3 >>= 1
r4 += r3
*(u8 *)(r4 + 248) = 1
r0 = 0
exit

== shifted right by 1, 249 behind
refuse: behind its end
r3 &= 15
r3 >>= 1
r4 += r3
*(u8 *)(r4 + 249) = 1
r0 = 0
exit

== the low half alone
accept
r3 &= 15
w3 = w3
r4 += r3
*(u8 *)(r4 + 240) = 1
r0 = 0
exit

== 32-bit sum with 240
accept
r3 &= 15
w3 += 240
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== 32-bit sum with 241
refuse: behind its end
r3 &= 15
w3 += 241
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== 32-bit product with 17
accept
r3 &= 15
w3 *= 17
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== 32-bit product with 18
refuse: behind its end
r3 &= 15
w3 *= 18
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== 32-bit shift left by 4
accept
r3 &= 15
w3 <<= 4
r4 += r3
*(u8 *)(r4 + 15) = 1
r0 = 0
exit

== 32-bit shift left by 5
refuse: behind its end
r3 &= 15
w3 <<= 5
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== negated
refuse: before its beginning|not bounded
r3 &= 15
r3 = -r3
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== sign of 8 bits of a number below 128
accept
r3 &= 15
r3 = (s8)r3
r4 += r3
*(u8 *)(r4 + 240) = 1
r0 = 0
exit

== sign of 16 bits of a number below 32768
accept
r3 &= 15
r3 = (s16)r3
r4 += r3
*(u8 *)(r4 + 240) = 1
r0 = 0
exit

== sign of 32 bits of a small number
accept
r3 &= 15
r3 = (s32)r3
r4 += r3
*(u8 *)(r4 + 240) = 1
r0 = 0
exit

== and with a register
accept
r3 &= 15
r5 = 7
r3 &= r5
r4 += r3
*(u8 *)(r4 + 248) = 1
r0 = 0
exit

== or with a register
accept
r3 &= 15
r5 = 240
r3 |= r5
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== sum of two, 15 and 240
accept
r3 &= 15
r5 = *(u8 *)(r1 + 0)
r5 &= 240
r3 += r5
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== sum of two, 15 and 255
refuse: behind its end
r3 &= 15
r5 = *(u8 *)(r1 + 0)
r3 += r5
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== 240 less a number up to 15
accept
r3 &= 15
r5 = 240
r5 -= r3
r3 = r5
r4 += r3
*(u8 *)(r4 + 15) = 1
r0 = 0
exit

== 14 less a number up to 15
refuse: before its beginning|not bounded
r3 &= 15
r5 = 14
r5 -= r3
r3 = r5
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== product of two, 15 and 15
accept
r3 &= 15
r5 = r3
r3 *= r5
r4 += r3
*(u8 *)(r4 + 30) = 1
r0 = 0
exit

why: numbers of which nothing is known, bounded by one instruction

== the top byte
accept
r3 >>= 56
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== the top 9 bits
refuse: behind its end
r3 >>= 55
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== the top byte of the low half
accept
w3 >>= 24
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== the top 9 bits of the low half
refuse: behind its end
w3 >>= 23
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== the top byte with its sign
refuse: before its beginning|not bounded
r3 s>>= 56
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== the low byte
accept
r3 &= 255
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== bit 8
refuse: behind its end
r3 &= 256
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== the low 9 bits
refuse: behind its end
r3 &= 511
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== multiples of 8 up to 248
accept
r3 &= 248
r4 += r3
*(u8 *)(r4 + 7) = 1
r0 = 0
exit

== multiples of 8 up to 248, 8 behind
refuse: behind its end
r3 &= 248
r4 += r3
*(u8 *)(r4 + 8) = 1
r0 = 0
exit

== nothing done
refuse: not bounded
r3 += 0
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== a shift left alone
refuse: not bounded
r3 <<= 1
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== the low half alone
refuse: not bounded
w3 = w3
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== a byte of memory
accept
r3 = *(u8 *)(r1 + 0)
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== two bytes of memory
refuse: behind its end
r3 = *(u16 *)(r1 + 0)
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== a byte of memory with its sign
refuse: before its beginning|not bounded
r3 = *(s8 *)(r1 + 0)
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== what an atomic operation found
refuse: not bounded
r3 = 1
r3 = atomic64_fetch_add((u64 *)(r4 + 0), r3)
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== what 32 bits of an atomic operation found
refuse: not bounded
r3 = 1
r3 = atomic_fetch_add((u32 *)(r4 + 0), r3)
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== what a helper returned
refuse: not bounded
r6 = r4
call 7
r4 = r6
r3 = r0
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== what a helper returned, masked
accept
differs: a random number
r6 = r4
call 7
r4 = r6
r3 = r0
r3 &= 255
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

== a copy made before the mask
refuse: not bounded
r5 = r3
r5 &= 255
r4 += r3
*(u8 *)(r4 + 0) = 1
r0 = 0
exit

why: neither the kernel nor we follow what a shift by a number that is not constant makes

== shift by a bounded number
refuse: not bounded
r3 &= 15
r5 = *(u8 *)(r1 + 0)
r5 &= 3
r3 <<= r5
r4 += r3
*(u8 *)(r4 + 135) = 1
r0 = 0
exit
