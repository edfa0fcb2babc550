#!/usr/bin/env bash
# Installs or upgrades Rollcall on Debian or Ubuntu, from the folder of a release. Safe to repeat; keeps an
# operator's changes. docs/operations.md describes upgrades and rollbacks.
#
#   sudo deploy/install.sh [--domain NAME] [--no-start] [--root DIR]
#   sudo deploy/install.sh rollback
#
# --domain NAME  serve https://NAME with Caddy
# --no-start     install everything, but enable and start nothing
# --root DIR     install below DIR, without systemd; implies --no-start
set -euo pipefail
umask 022

here=$(cd "$(dirname "$0")/.." && pwd)
root="" domain="" is_started=yes action=install
while [ $# -gt 0 ]; do
    case $1 in
        --domain) domain=${2:?--domain needs a name} && shift ;;
        --root) root=$(realpath -m "${2:?--root needs a folder}") is_started=no && shift ;;
        --no-start) is_started=no ;;
        rollback) action=rollback ;;
        *) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" && exit 64 ;;
    esac
    shift
done
prefix=$root/opt/rollcall
config=$root/etc/rollcall
lib=$root/usr/local/lib
share=$root/usr/local/share
units=(rollcall-web.socket rollcall-web.service rollcall-worker@all.service rollcall-scheduler.service
    rollcall-jobs.service rollcall-valkey.service rollcall-backup.timer rollcall.target)
roles=(rollcall-scheduler.service 'rollcall-worker@*.service' rollcall-jobs.service rollcall-web.service)
new=$prefix/enable-due # units of an upgrade that are not enabled yet
due=$prefix/restart-due # exists while the running release is not the installed one
stop_due=$prefix/stop-due # exists while the schema changes its generation; lists the units to start afterwards
undo=$lib/systemd/system/rollcall-init.service.d/undo-migrations.conf # exists during a rollback to another generation
caddy_due=$prefix/caddy-restart-due # exists until Caddy has read its new environment
goal=rollback-due # link to the target of an unfinished rollback
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

say() { printf 'install: %s\n' "$*"; }

need_packages() {
    local needed=()
    python3 -c 'import ensurepip' 2>/dev/null || needed+=(python3-venv)
    [ -z "$domain" ] || command -v caddy >/dev/null || needed+=(caddy)
    if [ ${#needed[@]} -gt 0 ]; then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${needed[@]}"
    fi
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { say "Python 3.11 is needed" && exit 69; }
}

# The release is named after the hash of its source.
build_release() {
    tar -C "$here" --exclude='./.*' --exclude=./var --exclude=./tests --exclude=./bench --exclude=./docs/adr \
        --exclude=./docs/screenshots --exclude=./build --exclude='*.egg-info' --exclude=__pycache__ \
        --sort=name --mtime=@0 \
        --owner=0 --group=0 --numeric-owner --mode=go=rX,u+w -cf "$scratch/source.tar" .
    release=releases/$(sha256sum "$scratch/source.tar" | cut -c1-12)
    if [ -e "$prefix/$release/.complete" ]; then return; fi
    say "building $prefix/$release"
    mkdir "$scratch/source" && tar -C "$scratch/source" -xf "$scratch/source.tar"
    rm -rf "${prefix:?}/$release"
    python3 -m venv "$prefix/$release"
    local pip=("$prefix/$release/bin/pip" --quiet --disable-pip-version-check install)
    "${pip[@]}" --require-hashes -r "$scratch/source/requirements/runtime.txt"
    "${pip[@]}" --no-deps --no-build-isolation "$scratch/source"
    touch "$prefix/$release/.complete"
}

# The first release of a machine enables all units; a later one only the units that it adds.
note_new_units() {
    [ -n "$(target_of current)" ] || return 0
    local unit
    for unit in "${units[@]}"; do
        [ -e "$lib/systemd/system/${unit/@all/@}" ] || printf '%s\n' "$unit" >>"$new"
    done
}

# Files outside /etc, which belong to the release. Units that stay are never removed temporarily: after an
# interruption here, the next run would treat them as new.
install_units() {
    "$prefix/$release/bin/rollcall" systemd --output "$scratch/units" >/dev/null
    mkdir -p "$lib/systemd/system" "$lib/sysusers.d" "$lib/tmpfiles.d"
    mv "$scratch/units/sysusers.conf" "$lib/sysusers.d/rollcall.conf"
    mv "$scratch/units/tmpfiles.conf" "$lib/tmpfiles.d/rollcall.conf"
    cp -R "$scratch/units/." "$lib/systemd/system/"
    local file
    (cd "$lib/systemd/system" && find . -path './rollcall*' ! -type d) | while read -r file; do
        [ -e "$scratch/units/$file" ] || rm "$lib/systemd/system/$file"
    done
    find "$lib/systemd/system" -path '*/system/rollcall*' -type d -empty -delete
    rm -rf "$scratch/units"
}

install_command() {
    install -D -m 0755 "$here/deploy/etc/rollcall.sh" "$root/usr/local/bin/rollcall"
    install -D -m 0644 "$here/deploy/completions/rollcall.bash" "$share/bash-completion/completions/rollcall"
    install -D -m 0644 "$here/deploy/completions/_rollcall" "$share/zsh/site-functions/_rollcall"
    install -D -m 0644 "$here/deploy/completions/rollcall.fish" "$share/fish/vendor_completions.d/rollcall.fish"
}

# Files of the operator: created if missing, and changed only if they are still as the installer wrote them.
install_config() {
    mkdir -p "$config/credentials"
    chmod 0700 "$config/credentials"
    systemd-sysusers --root="${root:-/}" "$lib/sysusers.d/rollcall.conf"
    local name
    for name in rollcall.env worker-all.env; do
        [ -e "$config/$name" ] || install -m 0640 "$here/deploy/etc/$name" "$config/$name"
    done
    [ -z "$domain" ] || name_domain
    [ ! -e "$config/caddy.env" ] || { share_proxy_secret && install_caddyfile; }
    systemd-tmpfiles --root="${root:-/}" --create "$lib/tmpfiles.d/rollcall.conf"
}

name_domain() {
    local settings=$config/rollcall.env url=PUBLIC_URL=https://$domain before
    before=$(sed -n 's/^ROLLCALL_DOMAIN=//p' "$config/caddy.env" 2>/dev/null || true)
    if ! grep -qxF "$url" "$settings"; then
        sed -i "s|^PUBLIC_URL=https://$before\$|$url|" "$settings"
        grep -q '^PUBLIC_URL=' "$settings" || printf '%s\n' "$url" >>"$settings"
        if grep -qxF "$url" "$settings"; then
            touch "$due"
        else
            say "PUBLIC_URL in $settings is your own and stays: it differs from https://$domain"
        fi
    fi
    set_for_caddy "ROLLCALL_DOMAIN=$domain"
    install -D -m 0644 "$here/deploy/etc/caddy.conf" "$lib/systemd/system/caddy.service.d/rollcall.conf"
}

# The secret by which the web role recognises Caddy, in one file for each.
share_proxy_secret() {
    local secret=$config/credentials/PROXY_SECRET
    if [ ! -s "$secret" ]; then
        touch "$due" # first, so that the next run finishes an interrupted one
        (umask 077 && od -An -v -N32 -tx1 /dev/urandom | tr -d ' \n' >"$secret")
    fi
    set_for_caddy "ROLLCALL_PROXY_SECRET=$(cat "$secret")"
    chmod 0640 "$config/caddy.env"
}

# Caddy reads its environment only when it starts.
set_for_caddy() {
    local file=$config/caddy.env
    if grep -sqxF "$1" "$file"; then return; fi
    touch "$caddy_due" "$file"
    sed -i "s|^${1%%=*}=.*|$1|" "$file"
    grep -qxF "$1" "$file" || printf '%s\n' "$1" >>"$file"
}

install_caddyfile() {
    local ours=$here/deploy/Caddyfile caddyfile=$root/etc/caddy/Caddyfile installed=$prefix/Caddyfile.sha256
    if [ ! -e "$caddyfile" ] || is_packaged "$caddyfile" || cmp -s "$ours" "$caddyfile" ||
        sha256sum --status -c "$installed" <"$caddyfile" 2>/dev/null; then
        install -D -m 0644 "$ours" "$caddyfile"
        sha256sum <"$ours" >"$installed"
    else
        say "$caddyfile is your own and stays: compare it with $ours, and reload Caddy"
        grep -qi '^[^#]*header_up *x-rollcall-proxy' "$caddyfile" ||
            say "it must send X-Rollcall-Proxy (docs/operations.md): without it all clients share one limit for sign-ins"
    fi
}

# Whether the file is still that of the package caddy.
is_packaged() {
    local sum
    # shellcheck disable=SC2016 # the variable is dpkg's
    sum=$(dpkg-query --admindir="$root/var/lib/dpkg" --showformat='${Conffiles}\n' --show caddy 2>/dev/null |
        awk '$1 == "/etc/caddy/Caddyfile" { print $2 }') || return
    [ "$(md5sum <"$1")" = "$sum  -" ]
}

switch() { ln -sfn "$1" "$prefix/$2.new" && mv -T "$prefix/$2.new" "$prefix/$2"; }

target_of() { readlink "$prefix/$1" || true; }

remove_old_releases() {
    local folder
    for folder in "$prefix"/releases/*; do
        case releases/${folder##*/} in
            "$(target_of current)" | "$(target_of previous)") ;;
            *) rm -rf "$folder" ;;
        esac
    done
}

# Including the units that this release adds, but never one that an operator has disabled.
enable_units() {
    local unit chosen=()
    for unit in "${units[@]}"; do
        if systemctl --quiet is-enabled rollcall.target && ! grep -qxF "$unit" "$new" 2>/dev/null; then continue; fi
        if [ "$unit" = rollcall-valkey.service ] && has_redis; then continue; fi
        chosen+=("$unit")
    done
    [ ${#chosen[@]} -eq 0 ] || systemctl --quiet enable "${chosen[@]}"
    rm -f "$new"
}

has_redis() { grep -q '^REDIS_URL=.' "$config/rollcall.env" || [ -e "$config/credentials/REDIS_URL" ]; }

# Each role finishes its work in progress and is ready again before the next one restarts.
restart_roles() {
    local unit
    systemctl daemon-reload
    if [ -e "$stop_due" ]; then
        replace_roles
        return
    fi
    systemctl restart rollcall-init.service || return
    for unit in $(running "${roles[@]}"); do
        say "restarting $unit"
        systemctl restart "$unit" || return
    done
}

# No role works with another generation of the schema, so all stop before it changes. Messages wait in the broker
# and requests in the socket: the web role starts only after rollcall-init, which is inactive by then.
replace_roles() {
    local unit others
    running "${roles[@]}" >>"$stop_due"
    mapfile -t others < <(running "${roles[@]:0:3}")
    say "the generation of the schema changes: stopping every role"
    [ ${#others[@]} -eq 0 ] || systemctl stop "${others[@]}"
    systemctl stop rollcall-init.service
    systemctl stop rollcall-web.service
    systemctl start rollcall-init.service || return
    for unit in $(sort -ru "$stop_due"); do
        say "starting $unit"
        systemctl start "$unit" || return
    done
    rm "$stop_due"
}

running() { systemctl list-units --plain --no-legend --state=active,activating "$@" | cut -d' ' -f1; }

# The newest schema of a release and its generation, as the release reports them; empty if it cannot.
newest_schema() { "$prefix/$1/bin/python" -P -c 'from store import migrate; print(migrate.head())' 2>/dev/null || true; }

generation() {
    local schema
    schema=$(newest_schema "$1")
    printf '%s' "${schema%??}"
}

# Only the newer release can undo its migrations: rollcall-init runs it before the older one.
undo_migrations() {
    local newer
    newer=$(target_of previous)
    mkdir -p "${undo%/*}"
    printf '[Service]\nExecStartPre=-%s init --quiet --down-to %s\n' "/opt/rollcall/$newer/bin/rollcall" \
        "$(newest_schema "$release")" >"$undo"
}

change_release() {
    local before
    before=$(target_of current)
    [ "$before" = "$release" ] || touch "$due"
    [ -z "$before" ] || [ "$(generation "$before")" = "$(generation "$release")" ] || touch "$stop_due"
    # In this order, repeating an interrupted run has the same result.
    [ -z "$before" ] || [ "$before" = "$release" ] || switch "$before" previous
    switch "$release" current
}

install_release() {
    need_packages
    build_release
    local before
    before=$(target_of current)
    if [ "$is_started" = yes ] && [ -n "$before" ] && [ "$before" != "$release" ]; then
        say "backing up" # with the units of the running release
        systemctl start rollcall-backup.service
    fi
    rm -f "$prefix/$goal"
    note_new_units
    install_units
    install_config
    change_release
    install_command
    remove_old_releases
    [ "$is_started" = yes ] || return 0
    systemctl daemon-reload
    enable_units
    if [ -n "$before" ] && [ -e "$due" ] && ! restart_roles; then
        say "$release does not start (journalctl -u 'rollcall-*'); rolling back"
        roll_back
        exit 70
    fi
    systemctl start rollcall.target
    rm -f "$due"
    if [ -n "$domain" ] || [ -e "$caddy_due" ]; then
        systemctl restart caddy.service
        rm -f "$caddy_due"
    elif [ -e "$config/caddy.env" ]; then
        systemctl try-reload-or-restart caddy.service || say "Caddy rejects its Caddyfile: journalctl -u caddy"
    fi
    say "installed; running rollcall doctor"
    "$root/usr/local/bin/rollcall" doctor || say "rollcall doctor lists above what to fix"
}

roll_back() {
    release=$(target_of "$goal")
    [ -n "$release" ] || release=$(target_of previous)
    [ -n "$release" ] || { say "there is no previous release" && exit 66; }
    switch "$release" "$goal"
    install_units
    change_release
    [ ! -e "$stop_due" ] || undo_migrations
    restart_roles || {
        rm -f "$prefix/$goal" # or no rollback could go forward again
        say "$release does not start (journalctl -u 'rollcall-*'); another rollback returns to the newer release"
        exit 70
    }
    rm -f "$due" "$prefix/$goal"
    [ ! -e "$undo" ] || { rm "$undo" && systemctl daemon-reload; }
    say "rolled back to $release"
}

if [ "$action" = rollback ]; then roll_back; else install_release; fi
