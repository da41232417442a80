#include "image/importer.h"

#include <doctest/doctest.h>
#include <sys/file.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include <cerrno>
#include <fstream>
#include <thread>

#include "image/layer_store.h"
#include "image/testing/scratch.h"
#include "image/testing/tar_builder.h"

using namespace sebring;
using namespace sebring::image;
using namespace sebring::image::testing;
using namespace std::string_literals;

namespace {

Result<Imported> import(const Scratch& scratch, const std::string& tar, ImportRequest request = {}) {
  UniqueFd file = memory_file(tar);
  request.layers = scratch.layers.get();
  request.input = file.get();
  if (request.digest.empty()) request.digest = "sha256:" + sha256_hex(tar);
  if (request.program.path == "/proc/self/exe") request.program = test_program();
  return import_layer(request);
}

std::string layer_path(const Scratch& scratch, const std::string& tar) {
  return scratch.path + "/layers/" + sha256_hex(tar) + "/";
}

struct stat look(const std::string& path) {
  struct stat status{};
  CHECK_MESSAGE(::lstat(path.c_str(), &status) == 0, path);
  return status;
}

std::string attribute(const std::string& path, const char* name) {
  char value[256];
  ssize_t n = ::lgetxattr(path.c_str(), name, value, sizeof value);
  return n < 0 ? "(none)" : std::string(value, static_cast<std::size_t>(n));
}

std::string content(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

bool is_whiteout(const std::string& path) {
  auto status = look(path);
  return S_ISCHR(status.st_mode) && status.st_rdev == 0;
}

}  // namespace

TEST_CASE("digests") {
  std::string hex(64, 'a');
  CHECK(digest_hex("sha256:" + hex) == hex);
  for (const auto& bad : {""s, "sha256:"s, hex, "sha256:" + hex + "a", "sha256:" + hex.substr(1), "sha512:" + hex,
                          "SHA256:" + hex, "sha256:" + std::string(64, 'A'), "sha256:../" + hex.substr(3),
                          "sha256:" + std::string(64, 'g'), "sha256:" + hex + "\n"})
    CHECK_FALSE(digest_hex(bad));
}

TEST_CASE("layers that are refused leave nothing") {
  if (!can_be_root()) return;
  Scratch scratch;
  std::string canary = scratch.path + "/canary";
  std::ofstream(canary) << "alive";
  std::string outside = scratch.path;
  auto link = [](std::string name, std::string to) { return Item{.type = '2', .name = name, .link = to}; };
  auto hard = [](std::string name, std::string to) { return Item{.type = '1', .name = name, .link = to}; };
  auto file = [](std::string name) { return Item{.name = name, .data = "evil"}; };
  auto dir = [](std::string name) { return Item{.type = '5', .name = name}; };
  std::vector<std::pair<std::string_view, std::vector<Item>>> rows = {
      {"upwards", {file("../canary")}},
      {"upwards from inside", {dir("a"), file("a/../../canary")}},
      {"upwards as a whole", {dir("..")}},
      {"upwards, absolute", {file("/../canary")}},
      {"upwards by pax", {{.name = "a", .data = "evil", .pax = {{"path", "../canary"}}}}},
      {"link as parent", {link("a", outside), file("a/canary")}},
      {"link upwards as parent", {link("a", "../.."), file("a/canary")}},
      {"link inside as parent", {dir("b"), link("a", "b"), file("a/x")}},
      {"link as a grandparent", {link("a", outside), file("a/b/c/x")}},
      {"directory turned into a link", {dir("a"), file("a/x"), link("a", outside), file("a/canary")}},
      {"link to itself as parent", {link("a", "a"), file("a/x")}},
      {"directory below a link", {link("a", outside), dir("a/new")}},
      {"whiteout below a link", {link("a", outside), file("a/.wh.canary")}},
      {"opaque link", {link("a", outside), file("a/.wh..wh..opq")}},
      {"file as parent", {file("a"), file("a/b")}},
      {"fifo as parent", {{.type = '6', .name = "a"}, file("a/b")}},
      {"hard link upwards", {hard("a", "../canary")}},
      {"hard link upwards by pax", {{.type = '1', .name = "a", .link = "b", .pax = {{"linkpath", "../canary"}}}}},
      {"hard link to what is not there", {hard("a", "b")}},
      {"hard link, absolute", {hard("a", canary)}},
      {"hard link through a link", {link("l", outside), hard("a", "l/canary")}},
      {"hard link into a link's place", {file("x"), link("l", outside), hard("l/a", "x")}},
      {"hard link to a directory", {dir("d"), hard("a", "d")}},
      {"hard link to the root", {hard("a", ".")}},
      {"hard link to itself", {file("a"), hard("a", "./a")}},
      {"hard link to a whiteout", {file(".wh.w"), hard("a", "w")}},
      {"hard link to a whiteout's name", {file(".wh.w"), hard("a", ".wh.w")}},
      {"hard link to nothing", {hard("a", "")}},
      {"hard link to what it replaces", {dir("d"), file("d/x"), hard("d", "d/x")}},
      {"whiteout of nothing", {file(".wh.")}},
      {"whiteout of .", {file(".wh..")}},
      {"whiteout of ..", {file("d/.wh...")}},
      {"whiteout that is a directory", {dir(".wh.a")}},
      {"whiteout that is a link", {link(".wh.a", outside)}},
      {"below a whiteout", {file(".wh.a/b")}},
      {"below a whiteout of ..", {file(".wh.../b")}},
      {"opaque root", {file(".wh..wh..opq")}},
      {"opaque directory entry", {dir("a/.wh..wh..opq")}},
      {"root is a file", {file("./")}},
      {"root is a link", {link(".", outside)}},
      {"empty link", {link("a", "")}},
      {"long component", {{.name = "a", .pax = {{"path", std::string(256, 'c')}}}}},
      {"deep",
       {{.name = "a",
         .pax = {{"path",
                  [] {
                    std::string p;
                    for (int i = 0; i < 300; ++i) p += "d/";
                    return p;
                  }()}}}}},
      {"long",
       {{.name = "a",
         .pax = {{"path",
                  [] {
                    std::string p;
                    for (int i = 0; i < 50; ++i) p += std::string(99, 'd') + "/";
                    return p;
                  }()}}}}},
      {"unknown type", {{.type = 'V', .name = "a"}}},
      {"good, then broken", {file("a"), dir("b"), {.name = "c", .size = "zzz"}}},
  };
  auto descriptors = open_descriptors();
  for (const auto& [name, items] : rows) {
    CAPTURE(name);
    auto imported = import(scratch, tar_of(items));
    REQUIRE_FALSE(imported);
    CAPTURE(imported.error().message());
    CHECK((imported.error().code() == Errc::unprocessable || imported.error().code() == Errc::too_large));
    CHECK(scratch.names().empty());
    CHECK(content(canary) == "alive");
    CHECK(look(canary).st_nlink == 1);
    CHECK(os::list_dir_at(AT_FDCWD, scratch.path)->size() == 2);
  }
  CHECK(open_descriptors() == descriptors);
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
}

TEST_CASE("a layer as it comes out") {
  if (!can_be_root()) return;
  Scratch scratch;
  std::string canary = scratch.path + "/canary";
  std::ofstream(canary) << "alive";
  std::string v2 = "\1\0\0\2\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0"s, v3 = v2 + "\xe8\3\0\0"s;
  v3[3] = 3;
  std::string acl =
      "\2\0\0\0\1\0\6\0\xff\xff\xff\xff\2\0\6\0\xe8\3\0\0\4\0\4\0\xff\xff\xff\xff\x10\0\6\0\xff\xff\xff\xff\x20\0\4\0\xff\xff\xff\xff"s;
  std::string map = "1\n4096\n3\n";
  map.resize(512);
  std::string tar = tar_of({
      {.type = '5', .name = "./", .mode = "0000751", .uid = "0000001", .mtime = "00000000123"},
      {.type = '5', .name = "d/", .mode = "0003775", .uid = "0001750", .gid = "0001751", .mtime = "00000000777"},
      {.name = "d/f", .data = "text", .mode = "0006711", .uid = "0001750", .pax = {{"mtime", "-1.5"}}},
      {.name = "/absolute", .data = "inside"},
      {.name = "made/by/the/way", .data = "1"},
      {.type = '2', .name = "through", .link = canary},
      {.name = "through", .data = "not through"},
      {.type = '5', .name = "tree"},
      {.name = "tree/a/b", .data = "1"},
      {.name = "tree", .data = "a file now"},
      {.name = "file", .data = "1"},
      {.type = '5', .name = "file"},
      {.name = "file/below", .data = "1"},
      {.name = "twice", .data = "one"},
      {.name = "twice", .data = "two"},
      {.type = '1', .name = "hard", .link = "d/f"},
      {.type = '1', .name = "twice", .link = "/d/f"},
      {.type = '2', .name = "dangling", .link = "../../nowhere", .uid = "0000005"},
      {.type = '1', .name = "hard dangling", .link = "dangling"},
      {.type = '6', .name = "fifo", .mode = "0000622", .gid = "0000005"},
      {.type = '3', .name = "dev/null"},
      {.type = '4', .name = "dev/sda"},
      {.name = "ids", .pax = {{"uid", "70000"}, {"gid", "4294967296"}}},
      {.name = "v2", .pax = {{"SCHILY.xattr.security.capability", v2}}},
      {.name = "v3", .pax = {{"SCHILY.xattr.security.capability", v3}}},
      {.name = "v9", .pax = {{"SCHILY.xattr.security.capability", "nonsense"}}},
      {.name = "attributes",
       .pax = {{"SCHILY.xattr.user.kept", "v\0w"s},
               {"SCHILY.xattr.trusted.overlay.opaque", "y"},
               {"SCHILY.xattr.user.overlay.redirect", "/etc"},
               {"SCHILY.xattr.security.selinux", "x"},
               {"SCHILY.acl.access", "user::rw-"},
               {"SCHILY.xattr.system.posix_acl_access", acl}}},
      {.type = '5',
       .name = "acl",
       .mode = "0002755",
       .gid = "0000007",
       .pax = {{"SCHILY.xattr.system.posix_acl_default", acl}}},
      {.name = "acl/child", .mode = "0000600"},
      {.name = "sparse",
       .data = map + "abc",
       .pax = {{"GNU.sparse.major", "1"},
               {"GNU.sparse.minor", "0"},
               {"GNU.sparse.realsize", "1048576"},
               {"GNU.sparse.name", "sparse"}}},
      {.name = "x/.wh.gone"},
      {.name = ".wh.emptied"},
      {.type = '5', .name = "emptied"},
      {.name = ".wh.implied"},
      {.name = "implied/below"},
      {.type = '5', .name = "both"},
      {.name = ".wh.both"},
      {.name = "stays"},
      {.name = ".wh.stays"},
      {.name = "opaque/.wh..wh..opq"},
      {.name = "opaque/new"},
      {.name = ".wh..wh.plnk"},
  });
  auto imported = import(scratch, tar);
  REQUIRE_MESSAGE(imported, imported.error().message());
  std::string root = layer_path(scratch, tar);
  CHECK(imported->entries == 42);
  CHECK((look(root).st_mode & 07777) == 0751);
  CHECK(look(root).st_uid == 1);
  CHECK(look(root).st_mtim.tv_sec == 0123);
  auto d = look(root + "d"), f = look(root + "d/f");
  CHECK((d.st_mode & 07777) == 03775);
  CHECK(d.st_uid == 1000);
  CHECK(d.st_gid == 1001);
  CHECK(d.st_mtim.tv_sec == 0777);
  CHECK((f.st_mode & 07777) == 06711);
  CHECK(f.st_uid == 1000);
  CHECK(f.st_mtim.tv_sec == -2);
  CHECK(f.st_mtim.tv_nsec == 500'000'000);
  CHECK(f.st_nlink == 3);
  CHECK(look(root + "hard").st_ino == f.st_ino);
  CHECK(look(root + "twice").st_ino == f.st_ino);
  CHECK(content(root + "absolute") == "inside");
  CHECK((look(root + "made/by").st_mode & 07777) == 0755);
  CHECK(look(root + "made/by").st_uid == 0);
  CHECK(content(canary) == "alive");
  CHECK(content(root + "through") == "not through");
  CHECK(content(root + "tree") == "a file now");
  CHECK(content(root + "file/below") == "1");
  CHECK(look(root + "dangling").st_uid == 5);
  CHECK(look(root + "hard dangling").st_ino == look(root + "dangling").st_ino);
  CHECK(S_ISFIFO(look(root + "fifo").st_mode));
  CHECK((look(root + "fifo").st_mode & 0777) == 0622);
  CHECK(look(root + "fifo").st_gid == 5);
  CHECK_FALSE(std::filesystem::exists(root + "dev"));
  CHECK(look(root + "ids").st_uid == 65534);
  CHECK(look(root + "ids").st_gid == 65534);
  CHECK(attribute(root + "v2", "security.capability") == v2);
  CHECK(attribute(root + "v3", "security.capability") == v2);
  CHECK(attribute(root + "v9", "security.capability") == "(none)");
  CHECK(attribute(root + "attributes", "user.kept") == "v\0w"s);
  CHECK(attribute(root + "attributes", "trusted.overlay.opaque") == "(none)");
  CHECK(attribute(root + "attributes", "user.overlay.redirect") == "(none)");
  CHECK(attribute(root + "attributes", "security.selinux") == "(none)");
  CHECK(attribute(root + "attributes", "system.posix_acl_access") == acl);
  CHECK(attribute(root + "acl", "system.posix_acl_default") == acl);
  CHECK((look(root + "acl/child").st_mode & 07777) == 0600);
  CHECK(look(root + "acl/child").st_gid == 0);
  CHECK(look(root + "sparse").st_size == 1048576);
  CHECK(look(root + "sparse").st_blocks <= 16);
  CHECK(is_whiteout(root + "x/gone"));
  CHECK(attribute(root + "emptied", "trusted.overlay.opaque") == "y");
  CHECK(attribute(root + "implied", "trusted.overlay.opaque") == "y");
  CHECK(attribute(root + "both", "trusted.overlay.opaque") == "y");
  CHECK(S_ISREG(look(root + "stays").st_mode));
  CHECK(attribute(root + "opaque", "trusted.overlay.opaque") == "y");
  CHECK(attribute(root + "d", "trusted.overlay.opaque") == "(none)");
  std::string remarks;
  for (const auto& line : imported->remarks) remarks += line + "\n";
  CHECK(remarks.find("2 devices left out (dev/null, dev/sda)") != std::string::npos);
  CHECK(remarks.find("1 files of an id above 65535 given to nobody (ids)") != std::string::npos);
  CHECK(remarks.find("4 extended attributes left out") != std::string::npos);
  CHECK(remarks.find("1 access lists in text form left out") != std::string::npos);

  auto again = import(scratch, tar);
  REQUIRE(again);
  CHECK(again->existed);
  CHECK(again->bytes == imported->bytes);
}

TEST_CASE("what is told about a layer is checked") {
  if (!can_be_root()) return;
  Scratch scratch;
  std::string tar = tar_of({{.name = "a", .data = "b"}}), other = "sha256:" + std::string(64, '0'),
              digest = "sha256:" + sha256_hex(tar);
  CHECK(import(scratch, tar, {.digest = other}).error().code() == Errc::invalid_argument);
  CHECK(import(scratch, tar, {.blob_digest = other}).error().code() == Errc::invalid_argument);
  CHECK(import(scratch, tar, {.blob_bytes = tar.size() + 1}).error().code() == Errc::invalid_argument);
  CHECK(import(scratch, tar, {.digest = "sha256:../../x"}).error().code() == Errc::invalid_argument);
  // Damaged on the way: not "a broken tar" but "not what it should be".
  std::string damaged = tar;
  damaged[3] ^= 1;
  CHECK(import(scratch, damaged, {.digest = digest}).error().code() == Errc::invalid_argument);
  CHECK(import(scratch, tar.substr(0, 700), {.digest = digest}).error().code() == Errc::invalid_argument);
  CHECK(import(scratch, tar, {.limits = {.blob_bytes_max = 100}}).error().code() == Errc::too_large);
  CHECK(import(scratch, tar, {.limits = {.tar_bytes_max = 100}}).error().code() == Errc::too_large);
  CHECK(import(scratch, tar, {.limits = {.file_bytes_max = 0}}).error().code() == Errc::too_large);
  CHECK(import(scratch, tar, {.limits = {.entries_max = 0}}).error().code() == Errc::too_large);
  CHECK(import(scratch, tar, {.limits = {.seconds_max = 0}}).error().code() == Errc::timed_out);
  CHECK(import(scratch, tar, {.program = {.path = "/bin/true"}}).error().code() == Errc::internal);
  CHECK(import(scratch, tar, {.program = {.path = "/nowhere"}}).error().code() == Errc::internal);
  CHECK(scratch.names().empty());
  auto imported = import(scratch, tar, {.blob_digest = digest, .blob_bytes = tar.size()});
  REQUIRE_MESSAGE(imported, imported.error().message());
  CHECK(imported->bytes == 1);
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
}

TEST_CASE("many imports of one layer at once") {
  if (!can_be_root()) return;
  Scratch scratch;
  std::string tar = tar_of({{.name = "a", .data = std::string(1 << 20, 'b')}});
  std::vector<Result<Imported>> results(4, fail(Errc::internal, "not run"));
  {
    std::vector<std::jthread> threads;
    for (auto& result : results) threads.emplace_back([&] { result = import(scratch, tar); });
  }
  int made = 0;
  for (const auto& result : results) {
    REQUIRE_MESSAGE(result, result.error().message());
    CHECK(result->bytes == 1 << 20);
    made += !result->existed;
  }
  CHECK(made == 1);
  CHECK(scratch.names().size() == 1);
}

TEST_CASE("remains of killed imports go, living ones stay") {
  if (!can_be_root()) return;
  Scratch scratch;
  std::string base = scratch.path + "/layers/";
  std::filesystem::create_directories(base + ".import-dead/a/b");
  std::filesystem::create_directories(base + ".import-alive/a");
  std::filesystem::create_directory(base + std::string(64, 'a'));  // no mark: not a layer, and not ours to remove
  auto alive = os::open_dir(base + ".import-alive");
  REQUIRE(::flock(alive->get(), LOCK_EX) == 0);
  REQUIRE(clean_up_imports(scratch.layers.get()));
  CHECK_FALSE(std::filesystem::exists(base + ".import-dead"));
  CHECK(std::filesystem::exists(base + ".import-alive/a"));
  CHECK_FALSE(LayerStore(scratch.layers.get()).has("sha256:" + std::string(64, 'a')));
}

TEST_CASE("the store of layers") {
  if (!can_be_root()) return;
  Scratch scratch;
  LayerStore store(scratch.layers.get());
  CHECK(store.list()->empty());
  std::vector<std::string> digests;
  for (auto name : {"a", "b"}) {
    std::string tar = tar_of({{.name = name, .data = "12345"}});
    REQUIRE(import(scratch, tar));
    digests.push_back("sha256:" + sha256_hex(tar));
  }
  std::sort(digests.begin(), digests.end());
  auto layers = store.list();
  REQUIRE(layers);
  REQUIRE(layers->size() == 2);
  CHECK(layers->at(0).digest == digests[0]);
  CHECK(layers->at(1).bytes == 5);
  CHECK(store.has(digests[0]));
  CHECK(store.open(digests[0]));
  REQUIRE(store.remove(digests[0]));
  CHECK_FALSE(store.has(digests[0]));
  CHECK(store.open(digests[0]).error().code() == Errc::not_found);
  CHECK(store.list()->size() == 1);
  CHECK(scratch.names().size() == 2);
  REQUIRE(store.sweep());
  CHECK(scratch.names().size() == 1);
  CHECK(store.remove(digests[0]));
  CHECK_FALSE(store.remove("sha256:.."));
  CHECK_FALSE(store.has("nonsense"));
}
