#pragma once
// What people see instead of a preview: small pages of our own, without scripts or anything fetched.
#include "net/http.h"

namespace sebring::proxy {

// Whether a person's browser asks for a page to show.
bool wants_page(const net::RequestHead& request);
// A browser at all, judging by its name.
bool is_browser(const net::RequestHead& request);

std::string escape_html(std::string_view text);

// `title` and `text` are escaped here.
net::Response message_page(int status, std::string_view title, std::string_view text);
// A page of the platform itself; `content` is HTML. Says nothing of what its forms may do: the caller sets that policy.
net::Response platform_page(int status, std::string_view title, std::string_view content);
// The page of an error: what happened and what to do.
net::Response error_page(const Error& error);
// Asks before the first visit of a preview. `action`: where the form posts to, with its query.
net::Response warning_page(std::string_view host, std::string_view action);

}  // namespace sebring::proxy
