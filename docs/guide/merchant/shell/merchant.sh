#!/bin/sh
# A merchant's first hour with the gateway, with sh, curl and openssl: a deposit order, its payment, the notification, the balance, a
# payout. It needs a running sandbox:
#
#	naru sandbox --data box
#	docs/guide/merchant/shell/merchant.sh box/sandbox.json
#
# openssl takes the key as an argument, which every user of a machine can see while it runs: sign in a program where that matters.
set -eu
: "${box:=${1:?say where sandbox.json is}}"
export box

# What a merchant is given. Here it comes from sandbox.json; yours belongs into your secrets.
given() { sed -n "/^  \"$1\": {/,/^  }/ s/^    \"$2\": \"\(.*\)\",\{0,1\}\$/\1/p" "$box"; }
base=$(given merchant base)
platform_id=$(given merchant platform_id)
platform_key=$(given merchant platform_key)
authorization=$(given merchant authorization)
control=$(given control base)

# digest signs the name=value lines that it reads: those that are not empty, sorted, joined by &.
digest() {
	text=$(grep -v -e '^sign=' -e '^sign_type=' -e '^[a-z_]*=$' | LC_ALL=C sort | paste -sd '&' -)
	printf %s "$text" | openssl dgst -sha256 -hmac "$platform_key" | sed 's/^.* //'
}

# lines turns a flat JSON object into name=value lines.
lines() {
	sed -e 's/^{"//' -e 's/}$//' -e 's/,"\([a-z_]*\)":/\
\1=/g' -e 's/":/=/' | sed 's/="\(.*\)"$/=\1/'
}

# value is one member of the JSON that it reads, however deep.
value() { sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p"; }

# call VERB PATH [BODY] prints the answer. It fails where nobody knows what became of the request: HTTP 200 alone is certain.
call() {
	curl -sS --fail -m 30 -X "$1" -H 'Content-Type: application/json;charset=utf-8' -H "Authorization: $authorization" ${3:+-d "$3"} \
		"$base/gateway/api/$2"
}

# post PATH NAME=VALUE ... signs a request and sends it.
post() {
	path=$1
	shift
	set -- "$@" "platform_id=$platform_id" "request_time=$(date +%s)" sign_type=HMAC-SHA256
	sign=$(printf '%s\n' "$@" | digest)
	body=$(printf '%s\n' "$@" "sign=$sign" | sed -e 's/["\\]/\\&/g' -e 's/^\([^=]*\)=\(.*\)$/"\1":"\2"/' | paste -sd , -)
	call POST "$path" "{$body}"
}

# pay_out NAME=VALUE ... asks until the answer is certain, always with the same number: it counts once, so nothing can be paid twice.
pay_out() {
	for wait in 1 2 4 8 16 32; do
		answer=$(post v2/payouts "$@") || answer=
		case $(printf %s "$answer" | value error_code) in
		0000) printf %s "$answer" | value payout_id && return ;;
		0014) call GET "v2/payouts/$number" | value payout_id && return ;; # an earlier try was taken on, and its answer was lost
		'' | 0001) sleep "$wait" ;;
		*) echo "refused, nothing is paid: $answer" >&2 && return 1 ;;
		esac
	done
	echo "nobody knows what became of $number: ask for it again later" >&2
	return 1
}

# field is one value of the lines in $told.
field() { printf '%s\n' "$told" | sed -n "s/^$1=//p"; }

# hear reads a notification and prints our answer: it acknowledges what is genuine, confirmed and booked. Anything else comes again.
hear() {
	told=$(lines)
	if [ "$(field sign)" != "$(printf '%s\n' "$told" | digest)" ]; then
		echo '{"error_code":"0004"}'
		return
	fi
	kind=payments id=$(field payment_cl_id)
	[ -n "$id" ] || kind=payouts id=$(field payout_cl_id)
	order=$(call GET "v2/$kind/$id" | sed 's/.*"data"://; s/}$//' | lines)
	for name in status amount real_amount; do
		if [ "$(field $name)" != "$(printf '%s\n' "$order" | sed -n "s/^$name=//p")" ]; then
			echo '{"error_code":"0001"}'
			return
		fi
	done
	printf '%s\n' "$told" >"$booked/$kind.$id.$(field status)" # once, however often it comes; yours is a table with a unique key
	echo '{"error_code":"0000"}'
}

if [ "${2:-}" = hear ]; then
	hear
	exit
fi

# Our own little server hands each notification to "merchant.sh sandbox.json hear".
here=$(dirname "$0")
booked=$(mktemp -d)
export booked
perl "$here/listen.pl" "$booked/port" sh "$0" "$box" hear &
listener=$!
trap 'kill $listener; rm -r "$booked"' EXIT
until [ -s "$booked/port" ]; do sleep 0.1; done
own="http://127.0.0.1:$(cat "$booked/port")"
number="SH-$(date +%s)-$$"
won() { expr "$1" / 100 || true; } # expr fails where it prints 0

# news FILE waits for a notification that hear has booked, and takes its lines as $told.
news() {
	until [ -s "$booked/$1" ]; do sleep 0.1; done
	told=$(cat "$booked/$1")
}

# 1. A deposit order of 30,000 won.
made=$(post v1/payments service_id=SVC0026 "payment_cl_id=$number" name=김하늘 amount=3000000 "notify_url=$own/deposits")
if [ "$(printf %s "$made" | value error_code)" != 0000 ]; then
	echo "the order: $made" >&2
	exit 1
fi
to=$(printf %s "$made" | sed 's/,"sender":.*//' | value card_number)
due=$(won "$(printf %s "$made" | value display_amount)")
echo "order $(printf %s "$made" | value payment_id): transfer $due won to $to, $(printf %s "$made" | value link)"

# 2. The payer transfers it. In the sandbox the control port plays the bank.
curl -sS --fail -o "$booked/bank" -d "{\"account\":\"$to\",\"amount\":$due,\"name\":\"김하늘\"}" "$control/bank/credits"

# 3. The notification is verified, confirmed by a query, booked and acknowledged in hear.
news "payments.$number.2"
echo "told: deposit $number status $(field status), $(won "$(field real_amount)") won came, fee $(won "$(field fee)") won"

# 4. The balance.
echo "balance: $(won "$(call GET v2/platforms/balance | value total_balance)") won"

# 5. A payout of 50,000 won.
id=$(pay_out service_id=SVC0004 "payout_cl_id=$number" amount=5000000 currency=krw bank_name=NHBANK_KR name=이도윤 number=3021234567891 \
	"notify_url=$own/payouts")
echo "payout $id is taken on"
news "payouts.$number.3"
echo "told: payout $number status $(field status), fee $(won "$(field fee)") won"
