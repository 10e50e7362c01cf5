"""What an article page says of its own, in the languages of its readers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Strings:
    """The page's own words in one language; `{…}` is filled by the page."""

    photo: str
    picture: str
    """`{size}`: of the file behind the link, in kB."""
    video: str
    audio: str
    embed: str
    mirrored: str
    """`{rev}`: the revision's number."""
    newest: str
    revisions: str
    what_changed: str
    changed: str
    """`{time}`: when the source says that it was."""
    gone: str
    """`{date}`: since when."""
    subjects: str
    original: str
    partial: str
    parts: str
    part: str
    """`{part}` of `{parts}`."""
    next_part: str
    first_part: str
    check: str
    """`{file}`: the page's own file name."""
    mirrors: str
    article_id: str
    leave: str
    """The first link of every page: a quick way off it."""
    front: str
    archive: str
    how_to_check: str
    feed: str


_TABLE = {
    "en": Strings(
        photo="Photo",
        picture="Photo, {size}",
        video="Video",
        audio="Audio",
        embed="Embedded page",
        mirrored="Mirrored copy, revision {rev}",
        newest="Newer revisions, if any",
        revisions="Revisions",
        what_changed="what changed",
        changed="Changed on {time}",
        gone="Since {date} the source no longer has this article. This is its last revision.",
        subjects="Subjects",
        original="Original",
        partial="This is only a part of the text: the source has published no more of it here.",
        parts="This article has {parts} parts",
        part="Part {part} of {parts}",
        next_part="Next part",
        first_part="First part",
        check="To check this page, keep {file} and the files beside it:",
        mirrors="Other mirrors",
        article_id="Article",
        leave="Quick exit",
        front="Front page",
        archive="Archive",
        how_to_check="How to check",
        feed="Feed",
    ),
    "ru": Strings(
        photo="Фото",
        picture="Фото, {size}",
        video="Видео",
        audio="Аудио",
        embed="Встроенная страница",
        mirrored="Копия на зеркале, редакция {rev}",
        newest="Более новые редакции, если есть",
        revisions="Редакции",
        what_changed="что изменилось",
        changed="Изменено {time}",
        gone="С {date} этой статьи у источника больше нет. Это её последняя редакция.",
        subjects="Темы",
        original="Оригинал",
        partial="Это только часть текста: больше источник здесь не опубликовал.",
        parts="Частей в этой статье: {parts}",
        part="Часть {part} из {parts}",
        next_part="Следующая часть",
        first_part="Первая часть",
        check="Чтобы проверить страницу, сохраните {file} и файлы рядом с ней:",
        mirrors="Другие зеркала",
        article_id="Статья",
        leave="Быстрый выход",
        front="Главная",
        archive="Архив",
        how_to_check="Как проверить",
        feed="Лента",
    ),
    "fa": Strings(
        photo="عکس",
        picture="عکس، {size}",
        video="ویدیو",
        audio="صدا",
        embed="صفحهٔ جاسازی‌شده",
        mirrored="نسخهٔ آینه، ویرایش {rev}",
        newest="ویرایش‌های تازه‌تر، اگر باشد",
        revisions="ویرایش‌ها",
        what_changed="چه تغییر کرد",
        changed="تغییر در {time}",
        gone="از {date} این مقاله دیگر نزد منبع نیست. این آخرین ویرایش آن است.",
        subjects="موضوع‌ها",
        original="نسخهٔ اصلی",
        partial="این فقط بخشی از متن است؛ منبع بیش از این را اینجا منتشر نکرده است.",
        parts="این مقاله {parts} بخش دارد",
        part="بخش {part} از {parts}",
        next_part="بخش بعدی",
        first_part="بخش نخست",
        check="برای بررسی این صفحه، {file} و پرونده‌های کنار آن را نگه دارید:",
        mirrors="آینه‌های دیگر",
        article_id="مقاله",
        leave="خروج فوری",
        front="صفحهٔ نخست",
        archive="بایگانی",
        how_to_check="روش بررسی",
        feed="خوراک",
    ),
    "ar": Strings(
        photo="صورة",
        picture="صورة، {size}",
        video="فيديو",
        audio="صوت",
        embed="صفحة مضمّنة",
        mirrored="نسخة مرآة، المراجعة {rev}",
        newest="مراجعات أحدث، إن وُجدت",
        revisions="المراجعات",
        what_changed="ما الذي تغيّر",
        changed="عُدّل في {time}",
        gone="لم يعد هذا المقال لدى المصدر منذ {date}. هذه آخر مراجعة له.",
        subjects="المواضيع",
        original="الأصل",
        partial="هذا جزء من النص فقط؛ لم ينشر المصدر هنا أكثر منه.",
        parts="عدد أجزاء هذا المقال: {parts}",
        part="الجزء {part} من {parts}",
        next_part="الجزء التالي",
        first_part="الجزء الأول",
        check="للتحقق من هذه الصفحة احتفظ بـ {file} والملفات المجاورة لها:",
        mirrors="مرايا أخرى",
        article_id="المقال",
        leave="خروج سريع",
        front="الصفحة الأولى",
        archive="الأرشيف",
        how_to_check="كيف تتحقق",
        feed="الخلاصة",
    ),
    "be": Strings(
        photo="Фота",
        picture="Фота, {size}",
        video="Відэа",
        audio="Аўдыя",
        embed="Убудаваная старонка",
        mirrored="Копія на люстэрку, рэдакцыя {rev}",
        newest="Навейшыя рэдакцыі, калі ёсць",
        revisions="Рэдакцыі",
        what_changed="што змянілася",
        changed="Зменена {time}",
        gone="З {date} гэтага артыкула ў крыніцы больш няма. Гэта яго апошняя рэдакцыя.",
        subjects="Тэмы",
        original="Арыгінал",
        partial="Гэта толькі частка тэксту: больш крыніца тут не апублікавала.",
        parts="Частак у гэтым артыкуле: {parts}",
        part="Частка {part} з {parts}",
        next_part="Наступная частка",
        first_part="Першая частка",
        check="Каб праверыць старонку, захавайце {file} і файлы побач з ёй:",
        mirrors="Іншыя люстэркі",
        article_id="Артыкул",
        leave="Хуткі выхад",
        front="Галоўная",
        archive="Архіў",
        how_to_check="Як праверыць",
        feed="Стужка",
    ),
    "uk": Strings(
        photo="Фото",
        picture="Фото, {size}",
        video="Відео",
        audio="Аудіо",
        embed="Вбудована сторінка",
        mirrored="Копія на дзеркалі, редакція {rev}",
        newest="Новіші редакції, якщо є",
        revisions="Редакції",
        what_changed="що змінилося",
        changed="Змінено {time}",
        gone="З {date} цієї статті в джерела більше немає. Це її остання редакція.",
        subjects="Теми",
        original="Оригінал",
        partial="Це лише частина тексту: більше джерело тут не опублікувало.",
        parts="Частин у цій статті: {parts}",
        part="Частина {part} з {parts}",
        next_part="Наступна частина",
        first_part="Перша частина",
        check="Щоб перевірити сторінку, збережіть {file} і файли поруч із нею:",
        mirrors="Інші дзеркала",
        article_id="Стаття",
        leave="Швидкий вихід",
        front="Головна",
        archive="Архів",
        how_to_check="Як перевірити",
        feed="Стрічка",
    ),
    "zh-Hans": Strings(
        photo="图片",
        picture="图片，{size}",
        video="视频",
        audio="音频",
        embed="嵌入的页面",
        mirrored="镜像副本，第 {rev} 版",
        newest="更新的版本（如有）",
        revisions="各版本",
        what_changed="有何变动",
        changed="修改于 {time}",
        gone="自 {date} 起，来源已不再提供本文。这是它的最后一版。",
        subjects="主题",
        original="原文",
        partial="这只是正文的一部分：来源在此没有发布更多内容。",
        parts="本文共 {parts} 部分",
        part="第 {part} 部分，共 {parts} 部分",
        next_part="下一部分",
        first_part="第一部分",
        check="如需核验本页，请保存 {file} 及其旁边的文件：",
        mirrors="其他镜像",
        article_id="文章",
        leave="快速离开",
        front="首页",
        archive="存档",
        how_to_check="如何核验",
        feed="订阅源",
    ),
    "zh-Hant": Strings(
        photo="圖片",
        picture="圖片，{size}",
        video="影片",
        audio="音訊",
        embed="嵌入的頁面",
        mirrored="鏡像副本，第 {rev} 版",
        newest="更新的版本（如有）",
        revisions="各版本",
        what_changed="有何變動",
        changed="修改於 {time}",
        gone="自 {date} 起，來源已不再提供本文。這是它的最後一版。",
        subjects="主題",
        original="原文",
        partial="這只是正文的一部分：來源在此沒有發布更多內容。",
        parts="本文共 {parts} 部分",
        part="第 {part} 部分，共 {parts} 部分",
        next_part="下一部分",
        first_part="第一部分",
        check="如需核驗本頁，請保存 {file} 及其旁邊的檔案：",
        mirrors="其他鏡像",
        article_id="文章",
        leave="快速離開",
        front="首頁",
        archive="存檔",
        how_to_check="如何核驗",
        feed="訂閱源",
    ),
    "tr": Strings(
        photo="Fotoğraf",
        picture="Fotoğraf, {size}",
        video="Video",
        audio="Ses",
        embed="Gömülü sayfa",
        mirrored="Ayna kopyası, {rev}. sürüm",
        newest="Varsa daha yeni sürümler",
        revisions="Sürümler",
        what_changed="ne değişti",
        changed="Değiştirildi: {time}",
        gone="Kaynak {date} tarihinden beri bu yazıyı bulundurmuyor. Bu, yazının son sürümüdür.",
        subjects="Konular",
        original="Özgün metin",
        partial="Bu, metnin yalnızca bir bölümüdür; kaynak burada daha fazlasını yayımlamadı.",
        parts="Bu yazı {parts} bölümdür",
        part="Bölüm {part} / {parts}",
        next_part="Sonraki bölüm",
        first_part="İlk bölüm",
        check="Bu sayfayı doğrulamak için {file} dosyasını ve yanındakileri saklayın:",
        mirrors="Diğer aynalar",
        article_id="Yazı",
        leave="Hızlı çıkış",
        front="Ana sayfa",
        archive="Arşiv",
        how_to_check="Nasıl doğrulanır",
        feed="Besleme",
    ),
}
EMBED_WORDS = frozenset(
    word for words in _TABLE.values() for word in (words.video, words.audio, words.embed)
)
"""In all languages: what a link that stands for a player begins with."""
_TRADITIONAL = frozenset({"Hant", "TW", "HK", "MO"})


def ui_language(lang: str) -> str:
    """Return the language of the table that is nearest to the BCP 47 tag `lang`, else `en`."""
    first, *rest = lang.split("-")
    if first == "zh":
        return "zh-Hant" if _TRADITIONAL.intersection(rest) else "zh-Hans"
    return first if first in _TABLE else "en"


def strings(lang: str) -> Strings:
    """Return the page's words for an article in `lang`."""
    return _TABLE[ui_language(lang)]
