//! The page around the charts: words, tables, colours, a little script.
//!
//! *What it decides.* That the page stands alone: it may load nothing (its own policy says so), is
//! read without its script, in light and dark, on a phone and by ear. *What it must never do.* Let
//! text of the recording become markup: every text goes through `escaped`. Shown by: the tests below,
//! tests/rlds_look.rs.

/// Text as HTML shows it, in an element or in a quoted attribute.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() && c != '\n' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// The whole page; `title` is text, `body` and `data` are made of escaped parts and numbers alone.
pub(super) fn page(title: &str, body: &str, data: &str) -> String {
    let title = escaped(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; \
         style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n\
         <script type=\"application/json\" id=\"columns\">{data}</script>\n\
         <script>{SCRIPT}</script>\n</body>\n</html>\n"
    )
}

const STYLE: &str = "
:root{--page:#fff;--text:#1b1f24;--dim:#57606a;--line:#d0d7de;--grid:#e6eaee;--driven:#0a58b8;
--asked:#a8500a;--speed:#116b3c;--time:#6a3fb0;--lane:#3d5a80;--bad:#b42318;--card:#f6f8fa}
@media (prefers-color-scheme:dark){:root{--page:#0f1318;--text:#e6e9ec;--dim:#a3adb8;--line:#39424d;
--grid:#222a33;--driven:#6fb3ff;--asked:#ffb366;--speed:#63d297;--time:#c3a6ff;--lane:#8fb0d9;
--bad:#ff8a80;--card:#171d24}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:70rem;padding:1rem;background:var(--page);color:var(--text);
font:15px/1.45 system-ui,sans-serif}
h1{font-size:1.25rem;margin:.2rem 0;overflow-wrap:anywhere}
h2{font-size:1.05rem;margin:1.6rem 0 .4rem}
p{margin:.3rem 0}.dim{color:var(--dim)}.bad{color:var(--bad);font-weight:600}
ul.problems{padding-left:1.2rem}
figure{margin:0 0 1.1rem}
figcaption{display:flex;flex-wrap:wrap;gap:.2rem 1rem;align-items:baseline;margin-bottom:.25rem}
figcaption b{font-weight:600}
.key{white-space:nowrap;color:var(--dim)}.key i{display:inline-block;width:1.5em;height:.7em;
margin-right:.35em;border-top:3px solid;vertical-align:-.1em}.key i.dash{border-top-style:dashed}
.plot{display:grid;grid-template-columns:4.6rem minmax(0,1fr);column-gap:.4rem}
.y{position:relative;font-size:.78rem;color:var(--dim);font-variant-numeric:tabular-nums}
.y span{position:absolute;right:0;transform:translateY(-50%);white-space:nowrap}
.y span:first-child{transform:translateY(-10%)}.y span:last-child{transform:translateY(-90%)}
svg{display:block;width:100%;background:var(--card);border:1px solid var(--line)}
svg path{vector-effect:non-scaling-stroke;stroke-linejoin:round}
.tall{height:10rem}.low{height:1.05rem;border-width:0 1px 1px 1px}
.grid{stroke:var(--grid);stroke-width:1;fill:none}.zero{stroke:var(--line);stroke-width:1;fill:none}
.driven{color:var(--driven)}.asked{color:var(--asked)}.speed{color:var(--speed)}.time{color:var(--time)}
.lane{color:var(--lane)}.fault{color:var(--bad)}
.band{fill:currentColor;fill-opacity:.28;stroke:currentColor;stroke-width:1.4}
.band.asked{fill-opacity:.12;stroke-dasharray:5 3}
.on{fill:currentColor;stroke:currentColor;stroke-width:1}
.lanes .name{font-size:.82rem;text-align:right;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
.lanes .plot{grid-template-columns:9.5rem minmax(0,1fr)}.lanes svg.first{border-top-width:1px}
.x{position:relative;height:1.3rem;font-size:.78rem;color:var(--dim);grid-column:2;
font-variant-numeric:tabular-nums}
.x span{position:absolute;transform:translateX(-50%);white-space:nowrap}
.x span:first-child{transform:none}.x span:last-child{transform:translateX(-100%)}
.strip{display:grid;grid-template-columns:repeat(auto-fill,minmax(9rem,1fr));gap:.6rem}
.strip img{width:100%;height:auto;display:block;border:1px solid var(--line)}
.strip figure{margin:0;font-size:.8rem;color:var(--dim)}
.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.25rem .8rem .25rem 0;border-bottom:1px solid var(--line);
vertical-align:top}th{font-weight:600}td.n,th.n{text-align:right;white-space:nowrap}
#cursor{position:absolute;width:1px;background:var(--text);pointer-events:none;display:none}
#told{position:fixed;display:none;pointer-events:none;background:var(--page);color:var(--text);
border:1px solid var(--line);padding:.35rem .6rem;font-size:.8rem;white-space:pre;
font-variant-numeric:tabular-nums;box-shadow:0 2px 8px #0004;z-index:2}
@media (max-width:36rem){body{padding:.6rem;font-size:14px}.tall{height:8rem}
.plot{grid-template-columns:3.4rem minmax(0,1fr)}.lanes .plot{grid-template-columns:6.6rem minmax(0,1fr)}
.x span.more{display:none}}
";

/// Reads the columns under the pointer aloud. Everything that it says stands in the page too.
const SCRIPT: &str = "
(()=>{const d=JSON.parse(document.getElementById('columns').textContent);if(!d.count)return;
const told=document.createElement('div'),line=document.createElement('div');
told.id='told';line.id='cursor';document.body.append(told,line);
const say=(v,n)=>v[0][n]==null?'-':v[0][n]==v[1][n]?v[0][n]:v[0][n]+' to '+v[1][n];
document.querySelectorAll('.plot svg').forEach(svg=>{svg.addEventListener('pointermove',e=>{
const r=svg.getBoundingClientRect(),p=Math.min(.9999,Math.max(0,(e.clientX-r.left)/r.width));
const n=Math.floor(p*d.count),w=d.width_s;
told.textContent=[(n*w).toFixed(3)+' to '+((n+1)*w).toFixed(3)+' s'].concat(d.figures.map(f=>
f.name+': '+say(f.range,n)+' '+f.unit)).join('\\n');
told.style.display=line.style.display='block';
const left=e.clientX+14+told.offsetWidth>innerWidth?e.clientX-14-told.offsetWidth:e.clientX+14;
told.style.left=Math.max(0,left)+'px';
told.style.top=Math.min(e.clientY+14,innerHeight-told.offsetHeight-4)+'px';
line.style.left=e.pageX+'px';line.style.top=r.top+scrollY+'px';line.style.height=r.height+'px'});
svg.addEventListener('pointerleave',()=>{told.style.display=line.style.display='none'})})})();
";

/// Bytes as a `data:` address wants them.
pub(super) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let at = |n: usize| u32::from(three.get(n).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for digit in 0..4_usize {
            let place = (bits >> (18 - 6 * digit) & 63) as usize;
            out.push(if digit <= three.len() { char::from(DIGITS[place]) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{SCRIPT, STYLE, base64, escaped, page};

    #[test]
    fn text_never_becomes_markup() {
        let text = "</title><script>alert('1')</script> \"& <img src=x>\u{1b}";
        let out = escaped(text);
        assert_eq!(
            out,
            "&lt;/title&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &quot;&amp; \
             &lt;img src=x&gt;\u{fffd}"
        );
        let whole = page(text, "", "{}");
        assert_eq!(whole.matches("<script").count(), 2, "only our own");
        assert!(!whole.contains("<img"), "{whole}");
    }

    #[test]
    fn the_page_asks_for_nothing_from_anywhere() {
        for part in [STYLE, SCRIPT] {
            for word in ["http", "//", "url(", "@import", "fetch", "XMLHttp", "src="] {
                assert!(!part.contains(word), "{word}");
            }
        }
        assert!(page("", "", "{}").contains("default-src 'none'"));
    }

    #[test]
    fn base64_is_that_of_rfc_4648() {
        let words = ["", "f", "fo", "foo", "foob", "fooba", "foobar"];
        let told = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"];
        assert_eq!(words.map(|word| base64(word.as_bytes())), told);
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
    }
}
