#pragma once
#include <string>

#include "control/control.h"

namespace sebring::control {

// Keeps a name from being used twice while its row is on the way to the disk. Outlived by control.
class NameReservation {
 public:
  NameReservation(Control& control, std::string organization_id, std::string name);
  NameReservation(const NameReservation&) = delete;
  NameReservation& operator=(const NameReservation&) = delete;
  ~NameReservation();
  // Errc::conflict when it is taken or about to be.
  asio::awaitable<Result<void>> check() const;

 private:
  Control& control_;
  std::string organization_id_;
  std::string name_;
  bool held_ = false;
};

}  // namespace sebring::control
