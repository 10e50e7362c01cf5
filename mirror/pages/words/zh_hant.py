"""The words of the pages for people in Chinese in traditional characters."""

from mirror.pages.words.form import Words

WORDS = Words(
    as_of="截至 {time}",
    articles="文章數：{count}",
    older="較早",
    newer="較新",
    withdrawn="編輯部已撤回",
    gone_error="原因：文章有錯誤。",
    gone_legal="原因：法律或法院裁定。",
    gone_safety="原因：有人的安全受到威脅。",
    gone_other="未說明原因。",
    gone_log="公開日誌仍顯示這裡曾有一篇文章，但不保留其中任何一個字。它原來的網址現在只通向本頁。",
    changes="改動內容",
    revision="第 {rev} 版",
    was_added="新增",
    was_removed="刪除",
    was_changed="修改",
    same_words="文字相同：改動的是其他內容，例如圖片、連結或姓名。",
    too_long="改動太多，無法在此比較：請閱讀兩個版本。",
    moved="這篇文章在另一個網址：",
    full_text="全文訂閱源",
    own_site="編輯部自己的網站",
    mirrors_how=(
        "所有鏡像上的檔案都相同。如果一個打不開，請換另一個；趁本頁還能打開，請抄下幾個網址。以 "
        "{onion} 結尾的網址只能用 Tor 瀏覽器打開。"
    ),
    mirrors_none="目前沒有列出公開的鏡像。請向給您這個網址的人索取其他網址。",
    since="自 {date}",
    blocked="被封鎖地區：{countries}",
    no_voucher=(
        "本頁不能為自己作證：偽造鏡像的人也會偽造本頁。請把下面的金鑰與您從別處得到的副本核對：編"
        "輯部自己的網站、印刷品，或您信任的人。"
    ),
    proves_title="簽章能證明什麼",
    proves=(
        "編輯部的金鑰簽署的正是這些位元組：途中沒有任何人改動過，包括這個鏡像。下面的第一道指令還"
        "能證明文章已記入編輯部的公開日誌，而日誌中的內容無法被悄悄刪除。"
    ),
    not_title="簽章不能證明什麼",
    not_proven=(
        "文中所說屬實；這是最新版本，或文章沒有被撤回：只有第一道指令能在連線時判斷；金鑰沒有被盜。"
    ),
    phone_title="手機上會留下什麼",
    phone=(
        "本網站不設定 Cookie，也不執行指令碼。但瀏覽器仍會在歷史記錄中保留網頁網址，在快取中保留"
        "副本；無痕視窗關閉後兩者都會清除。您儲存的檔案會一直留著，直到您刪除。「快速離開」會打開"
        "一個空白頁，但不會清除任何記錄：按返回鍵仍會回到這裡。"
    ),
    provider_title="網路服務商能看到什麼",
    provider=(
        "這個鏡像的主機名稱、閱讀的時間和下載的資料量；使用 https 時看不到您讀的是哪篇文章。Tor "
        "瀏覽器還會隱藏主機名稱。"
    ),
    commands_title="指令",
    how=(
        "請把一篇文章（例如 {file}）、旁邊名稱以 {file} 開頭的檔案以及下面的金鑰檔案儲存到同一個"
        "資料夾。下列指令任選其一即可；只有第一道還會查驗日誌。"
    ),
    keys_title="金鑰",
)
