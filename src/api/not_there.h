#pragma once
// What to do instead of what this version has not: the end of the message of a 501.
#include <string>
#include <string_view>

namespace sebring::api {

// "`what` is not available in this version of sebring", and after a colon what to do instead where there is something.
std::string not_there(std::string_view what, std::string_view instead = {});

// For all that would begin with an image.
inline constexpr std::string_view kInsteadOfImages =
    "snapshots are made of sandboxes here; create one, set it up, and POST /sandbox/{id}/snapshot";

// For an endpoint of the route table; empty where nothing stands in for it.
std::string_view instead_of(std::string_view pattern);

}  // namespace sebring::api
