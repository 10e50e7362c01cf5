"""The words of the pages for people in Turkish."""

from mirror.pages.words.form import Words

WORDS = Words(
    as_of="{time} itibarıyla",
    articles="Yazı sayısı: {count}",
    older="Daha eski",
    newer="Daha yeni",
    withdrawn="Yazı işleri tarafından geri çekildi",
    gone_error="Nedeni: yazıda hata vardı.",
    gone_legal="Nedeni: yasa ya da mahkeme kararı.",
    gone_safety="Nedeni: birinin güvenliği.",
    gone_other="Nedeni belirtilmedi.",
    gone_log=(
        "Herkese açık kayıt burada bir yazı olduğunu gösterir, ama ondan tek bir sözcük "
        "bile saklamaz. Eski adresi artık yalnızca bu sayfaya götürür."
    ),
    changes="Ne değişti",
    revision="{rev}. sürüm",
    was_added="Eklendi",
    was_removed="Çıkarıldı",
    was_changed="Değişti",
    same_words="Sözcükler aynı: başka bir şey değişti, örneğin bir fotoğraf, bağlantı ya da ad.",
    too_long="Değişiklikler burada gösterilemeyecek kadar çok: iki sürümü de okuyun.",
    moved="Bu yazı başka bir adreste:",
    full_text="Tam metinli besleme",
    own_site="Yayının kendi sitesi",
    mirrors_how=(
        "Bütün aynalarda aynı dosyalar bulunur. Biri açılmaz olursa başkasını deneyin; bu sayfa "
        "hâlâ açılırken birkaç adresi not edin. {onion} ile biten adresler yalnızca Tor Browser "
        "ile açılır."
    ),
    mirrors_none=(
        "Şu anda listede herkese açık bir ayna yok. Bu adresi size verenden başka bir adres "
        "isteyin."
    ),
    since="{date} tarihinden beri",
    blocked="engellendiği yerler: {countries}",
    no_voucher=(
        "Bu sayfa kendi kendine kefil olamaz: sahte bir ayna kuran, bu sayfanın da sahtesini "
        "yapar. Aşağıdaki anahtarları size başka bir yoldan ulaşmış bir kopyayla karşılaştırın: "
        "yayının kendi sitesinden, basılı olarak ya da güvendiğiniz birinden."
    ),
    proves_title="Bir imza neyi kanıtlar",
    proves=(
        "Yayının anahtarının tam olarak bu baytları imzaladığını: bu ayna da dahil, yolda hiç "
        "kimse onları değiştirmemiştir. Aşağıdaki ilk komut, yazının yayının herkese açık "
        "kütüğünde yer aldığını da kanıtlar; bu kütükten hiçbir şey fark edilmeden silinemez."
    ),
    not_title="Neyi kanıtlamaz",
    not_proven=(
        "Metinde yazanın doğru olduğunu. Bunun en yeni sürüm olduğunu ya da yazının geri "
        "çekilmediğini: bunu yalnızca ilk komut, o da internete bağlıyken söyleyebilir. "
        "Anahtarın çalınmadığını."
    ),
    phone_title="Telefonunuzda ne kalır",
    phone=(
        "Bu site çerez bırakmaz, betik çalıştırmaz. Ama tarayıcınız sayfaların adreslerini "
        "geçmişinde, kopyalarını önbelleğinde tutar; gizli pencere kapatıldığında ikisini de "
        "unutur. Kaydettiğiniz dosyalar siz silene kadar kalır. “Hızlı çıkış” boş bir sayfa açar "
        "ama hiçbir şeyi silmez: geri düğmesi buraya döner."
    ),
    provider_title="İnternet sağlayıcınız ne görür",
    provider=(
        "Bu aynanın ana makine adını, ne zaman okuduğunuzu ve ne kadar veri indirdiğinizi; https "
        "ile hangi yazıyı okuduğunuzu görmez. Tor Browser ana makine adını da gizler."
    ),
    commands_title="Komutlar",
    how=(
        "Bir yazıyı, örneğin {file} dosyasını, yanındaki adı {file} ile başlayan dosyaları ve "
        "aşağıdaki anahtar dosyalarını aynı klasöre kaydedin. Bu komutlardan herhangi biri "
        "yeterlidir; yalnızca ilki kütüğe de bakar."
    ),
    keys_title="Anahtarlar",
)
