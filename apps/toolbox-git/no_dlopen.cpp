// The linker puts these in place of the real ones (--wrap). A static glibc loads name service and converter modules
// from the root that it runs under; in a sandbox that would run the image's code in this process, or crash it. With
// null it falls back to what is linked in: the hosts file and DNS. NOLINTBEGIN
extern "C" {
void* __wrap_dlopen(const char*, int) { return nullptr; }
void* __wrap___libc_dlopen_mode(const char*, int) { return nullptr; }
}
// NOLINTEND
