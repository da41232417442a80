#pragma once
#include <string>

#include "base/time.h"

namespace sebring::model {

struct User {
  std::string id;
  std::string name;
  std::string email;
  WallMs created_at = 0;
};

struct Organization {
  std::string id;  // UUID
  std::string name;
  std::string created_by;  // user id
  bool personal = true;
  std::string default_region_id;
  WallMs created_at = 0;
  WallMs updated_at = 0;
};

}  // namespace sebring::model
