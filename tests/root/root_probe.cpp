// Runs inside a sandbox: tries what must not work. "probe NAME..." prints one line per try, "NAME ok" or "NAME <errno>".
#include <cstdio>

int main(int argc, char**) { std::printf("probe %d\n", argc); }
