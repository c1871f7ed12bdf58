<?php
// A merchant's first hour with the gateway, in PHP 8.2 without extensions: a deposit order, its payment, the notification, the balance, a
// payout. It needs a running sandbox:
//
//	naru sandbox --data box
//	php docs/guide/merchant/php/merchant.php box/sandbox.json
declare(strict_types=1);

// What a merchant is given. Here it comes from sandbox.json; yours belongs into your secrets.
$box = json_decode(file_get_contents($argv[1] ?? exit("say where sandbox.json is\n")), true);
$gateway = $box['merchant'];

// Every parameter that is not empty, sorted by name. Nothing is encoded, and a zero is not empty: array_filter alone would drop it.
function stringToSign(array $fields): string
{
	unset($fields['sign'], $fields['sign_type']);
	ksort($fields, SORT_STRING);
	$parts = [];
	foreach ($fields as $name => $value) {
		if (is_array($value)) {
			if (!array_is_list($value)) {
				continue; // an object is never signed
			}
			$value = json_encode($value, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES);
		}
		if ($value !== null && $value !== '') {
			$parts[] = "$name=$value";
		}
	}
	return implode('&', $parts);
}

function sign(array $fields): string
{
	global $gateway;
	return hash_hmac('sha256', stringToSign($fields), $gateway['platform_key']);
}

// Sends a request. HTTP 200 with a code is certain, whatever the code; null means that nobody knows what became of it.
function call(string $verb, string $path, string $body = ''): ?array
{
	global $gateway;
	$answer = @file_get_contents("{$gateway['base']}/gateway/api/$path", false, stream_context_create(['http' => [
		'method' => $verb,
		'header' => "Content-Type: application/json;charset=utf-8\r\nAuthorization: {$gateway['authorization']}",
		'content' => $body,
		'timeout' => 30,
		'ignore_errors' => true, // the body of an error is read too
	]]));
	$certain = $answer !== false && str_contains($http_response_header[0] ?? '', ' 200');
	$said = $certain ? json_decode($answer, true) : null;
	return isset($said['error_code']) ? $said : null;
}

// Signs a request and sends it.
function post(string $path, array $fields): ?array
{
	global $gateway;
	$fields += ['platform_id' => $gateway['platform_id'], 'request_time' => time(), 'sign_type' => 'HMAC-SHA256'];
	$fields['sign'] = sign($fields);
	return call('POST', $path, json_encode($fields, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES));
}

// Asks for one thing; null where there is no certain answer.
function query(string $path): ?array
{
	$answer = call('GET', $path);
	return $answer !== null && $answer['error_code'] === '0000' ? $answer['data'] : null;
}

// Asks until the answer is certain, always with the same number: it counts once, so nothing can be paid twice.
function payOut(array $fields): string
{
	for ($wait = 1; $wait < 60; $wait *= 2) {
		$answer = post('v2/payouts', $fields);
		switch ($answer['error_code'] ?? 'unknown') {
			case '0000':
				return $answer['data']['payout_id'];
			case '0014': // an earlier try was taken on, and its answer was lost
				return query("v2/payouts/{$fields['payout_cl_id']}")['payout_id'];
			case 'unknown':
			case '0001':
				sleep($wait);
				break;
			default:
				exit("refused, nothing is paid: {$answer['error_code']} {$answer['error_msg']}\n");
		}
	}
	exit("nobody knows what became of {$fields['payout_cl_id']}: ask for it again later\n");
}

// Checks the Standard Webhooks headers: one of the signatures is over id, time and body, and the time is now.
function genuine(array $headers, string $body): bool
{
	global $gateway;
	['webhook-id' => $id, 'webhook-timestamp' => $at, 'webhook-signature' => $signatures] =
		$headers + ['webhook-id' => '', 'webhook-timestamp' => '0', 'webhook-signature' => ''];
	$key = base64_decode(substr($gateway['webhook_secret'], strlen('whsec_')));
	$want = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$at.$body", $key, true));
	$right = array_filter(explode(' ', $signatures), fn (string $one) => hash_equals($want, $one));
	return abs(time() - (int) $at) <= 300 && $right !== [];
}

$booked = []; // yours is a table with a unique key, written before the answer

// Takes a notification: acknowledges what is genuine, confirmed and booked. Anything else comes again. Gives the status, the answer, and
// what is new in it.
function hear(array $headers, string $body): array
{
	global $booked;
	$told = json_decode($body, true);
	if (!is_string($told['sign'] ?? null) || !hash_equals(sign($told), $told['sign']) || !genuine($headers, $body)) {
		return [400, '{"error_code":"0004"}', null];
	}
	$path = isset($told['payout_cl_id']) ? "v2/payouts/{$told['payout_cl_id']}" : "v2/payments/{$told['payment_cl_id']}";
	$order = query($path);
	foreach (['status', 'amount', 'real_amount'] as $name) {
		if ($order === null || ($order[$name] ?? null) !== ($told[$name] ?? null)) {
			return [200, '{"error_code":"0001"}', null];
		}
	}
	$event = "$path {$told['status']}";
	$new = isset($booked[$event]) ? null : $told;
	$booked[$event] = true;
	return [200, '{"error_code":"0000"}', $new];
}

// Our own little server: waits for the next notification that is new.
function news($server): array
{
	while (true) {
		$peer = stream_socket_accept($server, 120) ?: exit("no notification came\n");
		fgets($peer); // POST /deposits HTTP/1.1
		$headers = [];
		while (($line = rtrim((string) fgets($peer))) !== '') {
			[$name, $value] = explode(':', $line, 2) + ['', ''];
			$headers[strtolower($name)] = trim($value);
		}
		$body = (string) stream_get_contents($peer, (int) ($headers['content-length'] ?? 0));
		[$status, $answer, $told] = hear($headers, $body);
		fwrite($peer, "HTTP/1.1 $status \r\nConnection: close\r\nContent-Length: " . strlen($answer) . "\r\n\r\n$answer");
		fclose($peer);
		if ($told !== null) {
			return $told;
		}
	}
}

$server = stream_socket_server('tcp://127.0.0.1:0');
$own = 'http://' . stream_socket_get_name($server, false);
$number = 'PHP-' . hrtime(true);

// 1. A deposit order of 30,000 won.
$answer = post('v1/payments', [
	'service_id' => 'SVC0026', 'payment_cl_id' => $number, 'name' => '김하늘', 'amount' => 3000000, 'notify_url' => "$own/deposits",
]);
if (($answer['error_code'] ?? '') !== '0000') {
	exit('the order: ' . json_encode($answer) . "\n");
}
$info = $answer['data']['payment_info'];
$to = $info['receiver']['card_number'];
$due = intdiv($info['display_amount'], 100);
echo "order {$info['payment_id']}: transfer $due won to $to, {$answer['data']['link']}\n";

// 2. The payer transfers it. In the sandbox the control port plays the bank.
file_get_contents("{$box['control']['base']}/bank/credits", false, stream_context_create(['http' => [
	'method' => 'POST', 'header' => 'Content-Type: application/json',
	'content' => json_encode(['account' => $to, 'amount' => $due, 'name' => '김하늘']),
]])) ?: exit("the transfer failed\n");

// 3. The notification is verified, confirmed by a query, booked and acknowledged in hear.
$told = news($server);
echo "told: deposit {$told['payment_cl_id']} status {$told['status']}, ", intdiv($told['real_amount'], 100), ' won came, fee ',
	intdiv($told['fee'], 100), " won\n";

// 4. The balance.
echo 'balance: ', intdiv(query('v2/platforms/balance')['total_balance'], 100), " won\n";

// 5. A payout of 50,000 won.
$id = payOut([
	'service_id' => 'SVC0004', 'payout_cl_id' => $number, 'amount' => 5000000, 'currency' => 'krw', 'bank_name' => 'NHBANK_KR',
	'name' => '이도윤', 'number' => '3021234567891', 'notify_url' => "$own/payouts",
]);
echo "payout $id is taken on\n";
$told = news($server);
echo "told: payout {$told['payout_cl_id']} status {$told['status']}, fee ", intdiv($told['fee'], 100), " won\n";
