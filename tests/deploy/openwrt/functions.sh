# What OpenWrt's rc.common, functions.sh and procd.sh bring, as far as an init script sees it: sections, options and lists
# are read from the file $CONFIG and told by callbacks; what procd is asked for is written to $ASKED.
# shellcheck shell=dash

config_load() { # PACKAGE
	[ "$1" = ptpproxy ] || return 1
	# The file's lines are calls of the three functions below.
	# shellcheck source=/dev/null
	. "$CONFIG"
	config_cb
}

sections=0
config() { # TYPE [NAME]
	sections=$((sections + 1))
	config_cb "$1" "${2:-cfg$sections}"
}

option() { # NAME VALUE
	option_cb "$1" "$2"
}

list() { # NAME VALUE
	option_cb "$1_ITEM1" "$2"
	option_cb "$1_LENGTH" 1
	list_cb "$1" "$2"
}

# shellcheck disable=SC2317 # config_load calls them
reset_cb() {
	config_cb() { return 0; }
	option_cb() { return 0; }
	list_cb() { return 0; }
}

logger() {
	printf 'logger %s\n' "$*" >>"$ASKED"
}

for name in open_instance set_param close_instance add_reload_trigger; do
	eval "procd_$name() { printf 'procd_$name %s\n' \"\$*\" >>\"\$ASKED\"; }"
done
