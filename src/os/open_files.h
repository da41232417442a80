#pragma once

namespace sebring::os {

// As many open files as this process may have, for it and what it starts. Root may have as many as the kernel allows,
// up to 1,048,576; others stay within their hard limit. Shells start services with a soft limit of 1,024.
void raise_open_files();

}  // namespace sebring::os
