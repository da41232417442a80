#include "control/name_reservation.h"

namespace sebring::control {

NameReservation::NameReservation(Control& control, std::string organization_id, std::string name)
    : control_(control), organization_id_(std::move(organization_id)), name_(std::move(name)) {
  held_ = control_.names_in_flight.insert(organization_id_ + "/" + name_).second;
}

NameReservation::~NameReservation() {
  if (held_) control_.names_in_flight.erase(organization_id_ + "/" + name_);
}

asio::awaitable<Result<void>> NameReservation::check() const {
  SB_CO_TRY(bool taken, co_await control_.store.sandboxes.name_taken(organization_id_, name_));
  if (taken || !held_) co_return fail(Errc::conflict, "Sandbox with name " + name_ + " already exists");
  co_return Result<void>{};
}

}  // namespace sebring::control
