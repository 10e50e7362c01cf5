"""The words of the pages for people in Chinese in simplified characters."""

from mirror.pages.words.form import Words

WORDS = Words(
    as_of="截至 {time}",
    articles="文章数：{count}",
    older="较早",
    newer="较新",
    withdrawn="编辑部已撤回",
    gone_error="原因：文章有错误。",
    gone_legal="原因：法律或法院裁定。",
    gone_safety="原因：有人的安全受到威胁。",
    gone_other="未说明原因。",
    gone_log="公开日志仍显示这里曾有一篇文章，但不保留其中任何一个字。它原来的地址现在只通向本页。",
    changes="改动内容",
    revision="第 {rev} 版",
    was_added="新增",
    was_removed="删除",
    was_changed="修改",
    same_words="文字相同：改动的是其他内容，例如图片、链接或姓名。",
    too_long="改动太多，无法在此比较：请阅读两个版本。",
    moved="这篇文章在另一个地址：",
    full_text="全文订阅源",
    own_site="编辑部自己的网站",
    mirrors_how=(
        "所有镜像上的文件都相同。如果一个打不开，请换另一个；趁本页还能打开，请抄下几个地址。以 "
        "{onion} 结尾的地址只能用 Tor 浏览器打开。"
    ),
    mirrors_none="目前没有列出公开的镜像。请向给您这个地址的人索取其他地址。",
    since="自 {date}",
    blocked="被封锁地区：{countries}",
    no_voucher=(
        "本页不能为自己作证：伪造镜像的人也会伪造本页。请把下面的密钥与您从别处得到的副本核对：编"
        "辑部自己的网站、印刷品，或您信任的人。"
    ),
    proves_title="签名能证明什么",
    proves=(
        "编辑部的密钥签署的正是这些字节：途中没有任何人改动过，包括这个镜像。下面的第一条命令还能"
        "证明文章已记入编辑部的公开日志，而日志中的内容无法被悄悄删除。"
    ),
    not_title="签名不能证明什么",
    not_proven=(
        "文中所说属实；这是最新版本，或文章没有被撤回：只有第一条命令能在联网时判断；密钥没有被盗。"
    ),
    phone_title="手机上会留下什么",
    phone=(
        "本网站不设置 Cookie，也不运行脚本。但浏览器仍会在历史记录中保留网页地址，在缓存中保留副"
        "本；隐私窗口关闭后两者都会清除。您保存的文件会一直留着，直到您删除。“快速离开”会打开一个"
        "空白页，但不会清除任何记录：按返回键仍会回到这里。"
    ),
    provider_title="网络服务商能看到什么",
    provider=(
        "这个镜像的主机名、阅读的时间和下载的数据量；使用 https 时看不到您读的是哪篇文章。Tor 浏"
        "览器还会隐藏主机名。"
    ),
    commands_title="命令",
    how=(
        "请把一篇文章（例如 {file}）、旁边名称以 {file} 开头的文件以及下面的密钥文件保存到同一个"
        "文件夹。下列命令任选其一即可；只有第一条还会查验日志。"
    ),
    keys_title="密钥",
)
