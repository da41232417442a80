// Memory of all roles comes from jemalloc: a request makes some dozens of small pieces, and pieces of a few KiB
// (buffers, frames of coroutines) are slow with the C library's. It reads this before main().
extern "C" {
// Few threads, so two arenas. What was freed goes back to the kernel after a second: an idle server stays small. Pieces
// up to 128 KiB are kept by their thread: bodies pass in such.
extern const char* malloc_conf;
const char* malloc_conf = "narenas:2,dirty_decay_ms:1000,muzzy_decay_ms:0,lg_tcache_max:17";
}
