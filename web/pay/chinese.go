package pay

var chinese = words{
	Tag: "zh-Hant", Name: "繁體中文", Short: "繁",

	Won: "%s 韓元", Clock: "15:04", Moment: "2006年1月2日 15:04 KST",
	States: [states]string{
		Waiting:     "等待您的匯款",
		Seen:        "已收到匯款，確認中",
		Received:    "已確認收款",
		OtherAmount: "匯款金額與訂單不符，商家確認中",
		Expired:     "訂單已逾時，請勿匯款",
		Late:        "逾時匯款確認中",
		Cancelled:   "已取消",
		TakenBack:   "銀行已撤銷匯款",
		Refused:     "此筆付款無法完成",
	},
	Beside: [states]string{
		Seen:        "請勿重複匯款",
		Received:    "您可以關閉此頁面",
		OtherAmount: "請勿重複匯款",
		Expired:     "若您已匯款，請勿重複匯款",
		Late:        "請勿重複匯款",
		Cancelled:   "請勿為此訂單匯款",
		TakenBack:   "請勿再為此訂單匯款",
		Refused:     "請勿再為此訂單匯款",
	},
	Next: [states][2]string{
		Waiting:     {"款項入帳後，此頁面會自動更新。", "關閉頁面也沒關係，已匯出的款項仍會確認。"},
		Seen:        {"確認完成後，此頁面會自動更新。", "關閉頁面也沒關係，已匯出的款項仍會確認。"},
		Received:    {"我們會將付款結果通知商家。", "如有疑問，請提供交易編號。"},
		OtherAmount: {"您的款項不會遺失。", "商家確認後會與您聯絡。"},
		Expired:     {"已匯出的款項入帳後會進行確認。", "若尚未匯款，請至商家重新下單。"},
		Late:        {"您的款項不會遺失。", "商家確認後會與您聯絡。"},
		Cancelled:   {"若您已匯款，請洽商家。", "洽詢時請提供交易編號。"},
		TakenBack:   {"款項的去向請洽您的銀行。", "訂單事宜請洽商家。"},
		Refused:     {"若您已匯款，請洽商家。", "洽詢時請提供交易編號。"},
	},
	NextNaming: [2]string{"姓名與銀行僅用於辨識您的匯款。", "填寫後即顯示收款帳戶。"},
	Titles: [states]string{
		Waiting: "應匯金額", Seen: "確認中的金額", Received: "付款金額", OtherAmount: "收到的金額", Expired: "訂單金額",
		Late: "收到的金額", Cancelled: "訂單金額", TakenBack: "撤銷的金額", Refused: "訂單金額",
	},
	Faults: map[Field][faults]string{
		NameField: {
			Missing:   "請輸入匯款人姓名。",
			Malformed: "請輸入帳戶上的姓名，最多 16 個字。",
			Differs:   "與登記的姓名不符。請輸入本人姓名，或洽商家。",
		},
		BankField: {
			Missing:   "請選擇銀行。",
			Malformed: "請從清單中選擇銀行。",
			Differs:   "與登記的銀行不符。請選擇登記的銀行，或洽商家。",
		},
		AccountField: {
			Missing:   "請輸入帳號。",
			Malformed: "請輸入 7 至 16 位數字。",
			Differs:   "與登記的帳號不符。請輸入登記的帳號，或洽商家。",
		},
	},
	Languages: "語言", OrderNumber: "訂單編號",

	ExactAmount: "訂單金額為 %s。請匯出與此完全相同的金額，系統才能自動確認",
	Bank:        "銀行",
	Account:     "帳號",
	Holder:      "戶名",
	Code:        "匯款代碼",
	CodeHint:    "請填入收款人存摺顯示內容",
	From:        "匯款人",
	FromHint:    "請由此姓名的帳戶匯款",

	Copy: "複製", Copied: "已複製", CopyOf: "複製%s",

	Until: "%s KST 前", TimeLeft: "剩餘時間",

	OrderedAmount: "訂單金額", Reference: "交易編號",
	At: [states]string{
		Received: "入帳時間", OtherAmount: "入帳時間", Expired: "逾時時間", Late: "入帳時間",
		Cancelled: "取消時間", TakenBack: "撤銷時間", Refused: "處理時間",
	},

	NameTitle:    "由誰匯款？",
	NameField:    "匯款人姓名",
	NameHint:     "與銀行帳戶上的姓名相同",
	BankField:    "匯款銀行",
	ChooseBank:   "選擇銀行",
	AccountField: "匯款帳號",
	AccountHint:  "只輸入數字即可",
	Send:         "顯示收款帳戶",

	RegisterFirst: "首次使用，請先登記匯款帳戶",
	RegisterOpen:  "登記帳戶",
	RegisterTitle: "登記匯款帳戶",
	RegisterWhy:   [2]string{"只需登記一次。", "之後由此帳戶匯出的款項會自動辨識。"},
	RegisterFor:   "會員 %s",
	RegisterSend:  "登記並繼續",
	Back:          "返回付款頁面",

	Help:    "洽詢商家",
	Reload:  "重新整理",
	Lost:    "連線中斷，正在重新連線。已匯出的款項仍會確認。",
	Over:    "訂單已逾時，請勿匯款。",
	Unknown: [2]string{"找不到頁面", "請確認網址。"},
	Broken:  [2]string{"目前無法顯示此頁面", "請稍後再開啟。若您已匯款，請勿重複匯款。"},
}
