#include "toolbox/raw_syscall.h"

#include <sys/syscall.h>

#include <cerrno>

namespace sebring::toolbox {

long raw_clone3(clone_args* arguments, void (*entry)(void*), void* argument) {
#if defined(__x86_64__)
  long result;
  register void* child_argument __asm__("r12") = argument;
  register void (*child_entry)(void*) __asm__("r13") = entry;
  // In the child rax is 0 and rsp the top of its own stack, aligned by the caller; nothing of this frame is there.
  __asm__ volatile(
      "syscall\n\t"
      "testq %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xorl %%ebp, %%ebp\n\t"
      "movq %%r12, %%rdi\n\t"
      "callq *%%r13\n\t"
      "hlt\n"
      "1:"
      : "=a"(result)
      : "a"(SYS_clone3), "D"(arguments), "S"(sizeof *arguments), "r"(child_argument), "r"(child_entry)
      : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long x8 __asm__("x8") = SYS_clone3;
  register long x0 __asm__("x0") = reinterpret_cast<long>(arguments);
  register long x1 __asm__("x1") = sizeof *arguments;
  register void* child_argument __asm__("x19") = argument;
  register void (*child_entry)(void*) __asm__("x20") = entry;
  __asm__ volatile(
      "svc 0\n\t"
      "cbnz x0, 1f\n\t"
      "mov x29, xzr\n\t"
      "mov x30, xzr\n\t"
      "mov x0, x19\n\t"
      "blr x20\n\t"
      "brk #0\n"
      "1:"
      : "+r"(x0)
      : "r"(x8), "r"(x1), "r"(child_argument), "r"(child_entry)
      : "memory");
  return x0;
#endif
}

}  // namespace sebring::toolbox
