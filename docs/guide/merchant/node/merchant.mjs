// A merchant's first hour with the gateway, in Node 20 without packages: a deposit order, its payment, the notification, the balance, a
// payout. It needs a running sandbox:
//
//	naru sandbox --data box
//	node docs/guide/merchant/node/merchant.mjs box/sandbox.json
import { createHmac, timingSafeEqual } from 'node:crypto'
import { once, EventEmitter } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'

// What a merchant is given. Here it comes from sandbox.json; yours belongs into your secrets.
const box = JSON.parse(readFileSync(process.argv[2]))
const gateway = box.merchant

// Every parameter that is not empty, sorted by name. Nothing is encoded, and a zero is not empty.
function stringToSign(fields) {
	return Object.keys(fields)
		.filter((name) => name !== 'sign' && name !== 'sign_type')
		.filter((name) => fields[name] !== null && fields[name] !== '')
		.filter((name) => typeof fields[name] !== 'object' || Array.isArray(fields[name])) // an object is never signed
		.sort()
		.map((name) => `${name}=${Array.isArray(fields[name]) ? JSON.stringify(fields[name]) : fields[name]}`)
		.join('&')
}

const sign = (fields) => createHmac('sha256', gateway.platform_key).update(stringToSign(fields)).digest('hex')

function same(a, b) {
	const [x, y] = [Buffer.from(a), Buffer.from(b)]
	return x.length === y.length && timingSafeEqual(x, y)
}

// Sends a request. HTTP 200 with a code is certain, whatever the code; null means that nobody knows what became of it.
async function call(method, path, body) {
	try {
		const answer = await fetch(`${gateway.base}/gateway/api/${path}`, {
			method,
			body,
			headers: { 'Content-Type': 'application/json;charset=utf-8', Authorization: gateway.authorization },
			signal: AbortSignal.timeout(30_000),
		})
		const said = await answer.json()
		return answer.status === 200 && said.error_code ? said : null
	} catch {
		return null
	}
}

// Signs a request and sends it.
function post(path, fields) {
	const all = { ...fields, platform_id: gateway.platform_id, request_time: Math.floor(Date.now() / 1000), sign_type: 'HMAC-SHA256' }
	return call('POST', path, JSON.stringify({ ...all, sign: sign(all) }))
}

// Asks for one thing; null where there is no certain answer.
async function query(path) {
	const answer = await call('GET', path)
	return answer?.error_code === '0000' ? answer.data : null
}

// Asks until the answer is certain, always with the same number: it counts once, so nothing can be paid twice.
async function payOut(fields) {
	for (let wait = 1; wait < 60; wait *= 2) {
		const answer = await post('v2/payouts', fields)
		switch (answer?.error_code) {
			case '0000':
				return answer.data.payout_id
			case '0014': // an earlier try was taken on, and its answer was lost
				return (await query(`v2/payouts/${fields.payout_cl_id}`)).payout_id
			case undefined:
			case '0001':
				await new Promise((again) => setTimeout(again, wait * 1000))
				break
			default:
				throw new Error(`refused, nothing is paid: ${answer.error_code} ${answer.error_msg}`)
		}
	}
	throw new Error(`nobody knows what became of ${fields.payout_cl_id}: ask for it again later`)
}

// Checks the Standard Webhooks headers: one of the signatures is over id, time and body, and the time is now.
function genuine(headers, body) {
	const at = headers['webhook-timestamp']
	const key = Buffer.from(gateway.webhook_secret.replace('whsec_', ''), 'base64')
	const want = 'v1,' + createHmac('sha256', key).update(`${headers['webhook-id']}.${at}.${body}`).digest('base64')
	const signatures = (headers['webhook-signature'] ?? '').split(' ')
	return Math.abs(Date.now() / 1000 - at) <= 300 && signatures.some((one) => same(one, want))
}

const booked = new Set() // yours is a table with a unique key, written before the answer
const news = new EventEmitter()

// Takes a notification: acknowledges what is genuine, confirmed and booked. Anything else comes again.
async function hear(headers, body) {
	const told = JSON.parse(body)
	if (!same(told.sign ?? '', sign(told)) || !genuine(headers, body)) {
		return [400, { error_code: '0004' }]
	}
	const path = told.payout_cl_id ? `v2/payouts/${told.payout_cl_id}` : `v2/payments/${told.payment_cl_id}`
	const order = await query(path)
	if (!order || ['status', 'amount', 'real_amount'].some((name) => order[name] !== told[name])) {
		return [200, { error_code: '0001' }]
	}
	const event = `${path} ${told.status}`
	const first = !booked.has(event)
	booked.add(event)
	return [200, { error_code: '0000' }, first ? told : undefined]
}

// Our own little server.
const server = createServer(async (request, response) => {
	try {
		let body = ''
		for await (const part of request.setEncoding('utf8')) body += part
		const [status, answer, told] = await hear(request.headers, body)
		response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer), () => told && news.emit('told', told))
	} catch {
		response.writeHead(400).end()
	}
}).listen(0, '127.0.0.1')
await once(server, 'listening')
const own = `http://127.0.0.1:${server.address().port}`
const number = `NODE-${process.hrtime.bigint()}`
const won = (amount) => amount / 100

// 1. A deposit order of 30,000 won.
const made = await post('v1/payments', {
	service_id: 'SVC0026', payment_cl_id: number, name: '김하늘', amount: 3000000, notify_url: `${own}/deposits`,
})
if (made?.error_code !== '0000') throw new Error(`the order: ${made?.error_code} ${made?.error_msg}`)
const info = made.data.payment_info
const [to, due] = [info.receiver.card_number, won(info.display_amount)]
console.log(`order ${info.payment_id}: transfer ${due} won to ${to}, ${made.data.link}`)

// 2. The payer transfers it. In the sandbox the control port plays the bank.
let heard = once(news, 'told')
const transfer = await fetch(`${box.control.base}/bank/credits`, {
	method: 'POST', body: JSON.stringify({ account: to, amount: due, name: '김하늘' }),
})
if (!transfer.ok) throw new Error(`the transfer: HTTP ${transfer.status}`)

// 3. The notification is verified, confirmed by a query, booked and acknowledged in hear.
let [told] = await heard
console.log(`told: deposit ${told.payment_cl_id} status ${told.status}, ${won(told.real_amount)} won came, fee ${won(told.fee)} won`)

// 4. The balance.
console.log(`balance: ${won((await query('v2/platforms/balance')).total_balance)} won`)

// 5. A payout of 50,000 won.
heard = once(news, 'told')
const id = await payOut({
	service_id: 'SVC0004', payout_cl_id: number, amount: 5000000, currency: 'krw', bank_name: 'NHBANK_KR', name: '이도윤',
	number: '3021234567891', notify_url: `${own}/payouts`,
})
console.log(`payout ${id} is taken on`)
;[told] = await heard
console.log(`told: payout ${told.payout_cl_id} status ${told.status}, fee ${won(told.fee)} won`)
server.close()
server.closeIdleConnections()
