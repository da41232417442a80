#pragma once
// The certificate in force, reloaded when its files change. Private to the TLS front.
#include <sys/stat.h>

#include <boost/asio/ssl/context.hpp>
#include <functional>
#include <memory>

#include "base/time.h"
#include "proxy/tls_front.h"

namespace sebring::proxy {

class Certificate {
 public:
  using Context = boost::asio::ssl::context;
  Certificate(TlsFiles files, std::function<void(std::string)> problem)
      : files_(std::move(files)), problem_(std::move(problem)) {}

  Result<void> load();
  // Looks at the files at most once a second.
  std::shared_ptr<Context> current();

 private:
  struct Stamp {
    timespec changed{};
    off_t size = 0;
    ino_t inode = 0;
    bool operator==(const Stamp& other) const {
      return changed.tv_sec == other.changed.tv_sec && changed.tv_nsec == other.changed.tv_nsec && size == other.size &&
             inode == other.inode;
    }
  };
  static Stamp stamp_of(const std::string& path);
  Result<std::shared_ptr<Context>> read() const;

  TlsFiles files_;
  std::function<void(std::string)> problem_;
  std::shared_ptr<Context> context_;
  Stamp certificate_stamp_;
  Stamp key_stamp_;
  Steady::time_point looked_{};
};

}  // namespace sebring::proxy
