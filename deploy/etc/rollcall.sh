#!/bin/sh
# The installed `rollcall`, with the user, the settings and the secrets of the services.
program=/opt/rollcall/current/bin/rollcall
case "${_ROLLCALL_COMPLETE-}${1-}" in
    ?*_complete* | *-h | *--help | --version | "") exec "$program" "$@" ;;
esac
if [ "$(id -u)" -ne 0 ]; then
    echo "rollcall: only root may use the services' secrets: sudo rollcall $*" >&2
    exit 77
fi
terminal=--pipe
if [ -t 0 ] && [ -t 1 ]; then terminal=--pty; fi
exec systemd-run --quiet --collect --wait "$terminal" --service-type=exec \
    --uid=rollcall --gid=rollcall --working-directory=/var/lib/rollcall \
    --property=UMask=0077 --property=EnvironmentFile=/etc/rollcall/rollcall.env \
    --property=LoadCredential=rollcall:/etc/rollcall/credentials \
    --setenv=ROLLCALL_HOME=/var/lib/rollcall --setenv=LOGNAME="${SUDO_USER:-root}" \
    "$program" "$@"
