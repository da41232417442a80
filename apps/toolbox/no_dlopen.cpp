// A static libc still loads shared objects of the image it runs in, for names, converters and unwinding. They would be
// the image's own code in the daemon, or crash it. The linker sends both doors here (--wrap).
extern "C" {
void* __wrap_dlopen(const char* file, int mode);
void* __wrap___libc_dlopen_mode(const char* file, int mode);

void* __wrap_dlopen(const char* /*file*/, int /*mode*/) { return nullptr; }
void* __wrap___libc_dlopen_mode(const char* /*file*/, int /*mode*/) { return nullptr; }
}
