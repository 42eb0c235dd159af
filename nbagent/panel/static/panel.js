var Oe=globalThis,qe=e=>e,ie=Oe.trustedTypes,Ye=ie?ie.createPolicy("lit-html",{createHTML:e=>e}):void 0,De="$lit$",M=`lit$${Math.random().toFixed(9).slice(2)}$`,He="?"+M,nn=`<${He}>`,I=document,ee=()=>I.createComment(""),te=e=>e===null||typeof e!="object"&&typeof e!="function",Le=Array.isArray,tt=e=>Le(e)||typeof e?.[Symbol.iterator]=="function",Ne=`[ 	
\f\r]`,Z=/<(?:(!--|\/[^a-zA-Z])|(\/?[a-zA-Z][^>\s]*)|(\/?$))/g,Xe=/-->/g,Je=/>/g,L=RegExp(`>|${Ne}(?:([^\\s"'>=/]+)(${Ne}*=${Ne}*(?:[^ 	
\f\r"'\`<>=]|("|')|))|$)`,"g"),Qe=/'/g,Ze=/"/g,nt=/^(?:script|style|textarea|title)$/i,Pe=e=>(t,...n)=>({_$litType$:e,strings:t,values:n}),m=Pe(1),To=Pe(2),_o=Pe(3),B=Symbol.for("lit-noChange"),g=Symbol.for("lit-nothing"),et=new WeakMap,P=I.createTreeWalker(I,129);function ot(e,t){if(!Le(e)||!e.hasOwnProperty("raw"))throw Error("invalid template strings array");return Ye!==void 0?Ye.createHTML(t):t}var st=(e,t)=>{let n=e.length-1,o=[],s,a=t===2?"<svg>":t===3?"<math>":"",r=Z;for(let l=0;l<n;l++){let i=e[l],u,d,c=-1,p=0;for(;p<i.length&&(r.lastIndex=p,d=r.exec(i),d!==null);)p=r.lastIndex,r===Z?d[1]==="!--"?r=Xe:d[1]!==void 0?r=Je:d[2]!==void 0?(nt.test(d[2])&&(s=RegExp("</"+d[2],"g")),r=L):d[3]!==void 0&&(r=L):r===L?d[0]===">"?(r=s??Z,c=-1):d[1]===void 0?c=-2:(c=r.lastIndex-d[2].length,u=d[1],r=d[3]===void 0?L:d[3]==='"'?Ze:Qe):r===Ze||r===Qe?r=L:r===Xe||r===Je?r=Z:(r=L,s=void 0);let f=r===L&&e[l+1].startsWith("/>")?" ":"";a+=r===Z?i+nn:c>=0?(o.push(u),i.slice(0,c)+De+i.slice(c)+M+f):i+M+(c===-2?l:f)}return[ot(e,a+(e[n]||"<?>")+(t===2?"</svg>":t===3?"</math>":"")),o]},ne=class e{constructor({strings:t,_$litType$:n},o){let s;this.parts=[];let a=0,r=0,l=t.length-1,i=this.parts,[u,d]=st(t,n);if(this.el=e.createElement(u,o),P.currentNode=this.el.content,n===2||n===3){let c=this.el.content.firstChild;c.replaceWith(...c.childNodes)}for(;(s=P.nextNode())!==null&&i.length<l;){if(s.nodeType===1){if(s.hasAttributes())for(let c of s.getAttributeNames())if(c.endsWith(De)){let p=d[r++],f=s.getAttribute(c).split(M),$=/([.?@])?(.*)/.exec(p);i.push({type:1,index:a,name:$[2],strings:f,ctor:$[1]==="."?ce:$[1]==="?"?de:$[1]==="@"?ue:W}),s.removeAttribute(c)}else c.startsWith(M)&&(i.push({type:6,index:a}),s.removeAttribute(c));if(nt.test(s.tagName)){let c=s.textContent.split(M),p=c.length-1;if(p>0){s.textContent=ie?ie.emptyScript:"";for(let f=0;f<p;f++)s.append(c[f],ee()),P.nextNode(),i.push({type:2,index:++a});s.append(c[p],ee())}}}else if(s.nodeType===8)if(s.data===He)i.push({type:2,index:a});else{let c=-1;for(;(c=s.data.indexOf(M,c+1))!==-1;)i.push({type:7,index:a}),c+=M.length-1}a++}}static createElement(t,n){let o=I.createElement("template");return o.innerHTML=t,o}};function F(e,t,n=e,o){if(t===B)return t;let s=o!==void 0?n._$Co?.[o]:n._$Cl,a=te(t)?void 0:t._$litDirective$;return s?.constructor!==a&&(s?._$AO?.(!1),a===void 0?s=void 0:(s=new a(e),s._$AT(e,n,o)),o!==void 0?(n._$Co??=[])[o]=s:n._$Cl=s),s!==void 0&&(t=F(e,s._$AS(e,t.values),s,o)),t}var le=class{constructor(t,n){this._$AV=[],this._$AN=void 0,this._$AD=t,this._$AM=n}get parentNode(){return this._$AM.parentNode}get _$AU(){return this._$AM._$AU}u(t){let{el:{content:n},parts:o}=this._$AD,s=(t?.creationScope??I).importNode(n,!0);P.currentNode=s;let a=P.nextNode(),r=0,l=0,i=o[0];for(;i!==void 0;){if(r===i.index){let u;i.type===2?u=new K(a,a.nextSibling,this,t):i.type===1?u=new i.ctor(a,i.name,i.strings,this,t):i.type===6&&(u=new pe(a,this,t)),this._$AV.push(u),i=o[++l]}r!==i?.index&&(a=P.nextNode(),r++)}return P.currentNode=I,s}p(t){let n=0;for(let o of this._$AV)o!==void 0&&(o.strings!==void 0?(o._$AI(t,o,n),n+=o.strings.length-2):o._$AI(t[n])),n++}},K=class e{get _$AU(){return this._$AM?._$AU??this._$Cv}constructor(t,n,o,s){this.type=2,this._$AH=g,this._$AN=void 0,this._$AA=t,this._$AB=n,this._$AM=o,this.options=s,this._$Cv=s?.isConnected??!0}get parentNode(){let t=this._$AA.parentNode,n=this._$AM;return n!==void 0&&t?.nodeType===11&&(t=n.parentNode),t}get startNode(){return this._$AA}get endNode(){return this._$AB}_$AI(t,n=this){t=F(this,t,n),te(t)?t===g||t==null||t===""?(this._$AH!==g&&this._$AR(),this._$AH=g):t!==this._$AH&&t!==B&&this._(t):t._$litType$!==void 0?this.$(t):t.nodeType!==void 0?this.T(t):tt(t)?this.k(t):this._(t)}O(t){return this._$AA.parentNode.insertBefore(t,this._$AB)}T(t){this._$AH!==t&&(this._$AR(),this._$AH=this.O(t))}_(t){this._$AH!==g&&te(this._$AH)?this._$AA.nextSibling.data=t:this.T(I.createTextNode(t)),this._$AH=t}$(t){let{values:n,_$litType$:o}=t,s=typeof o=="number"?this._$AC(t):(o.el===void 0&&(o.el=ne.createElement(ot(o.h,o.h[0]),this.options)),o);if(this._$AH?._$AD===s)this._$AH.p(n);else{let a=new le(s,this),r=a.u(this.options);a.p(n),this.T(r),this._$AH=a}}_$AC(t){let n=et.get(t.strings);return n===void 0&&et.set(t.strings,n=new ne(t)),n}k(t){Le(this._$AH)||(this._$AH=[],this._$AR());let n=this._$AH,o,s=0;for(let a of t)s===n.length?n.push(o=new e(this.O(ee()),this.O(ee()),this,this.options)):o=n[s],o._$AI(a),s++;s<n.length&&(this._$AR(o&&o._$AB.nextSibling,s),n.length=s)}_$AR(t=this._$AA.nextSibling,n){for(this._$AP?.(!1,!0,n);t!==this._$AB;){let o=qe(t).nextSibling;qe(t).remove(),t=o}}setConnected(t){this._$AM===void 0&&(this._$Cv=t,this._$AP?.(t))}},W=class{get tagName(){return this.element.tagName}get _$AU(){return this._$AM._$AU}constructor(t,n,o,s,a){this.type=1,this._$AH=g,this._$AN=void 0,this.element=t,this.name=n,this._$AM=s,this.options=a,o.length>2||o[0]!==""||o[1]!==""?(this._$AH=Array(o.length-1).fill(new String),this.strings=o):this._$AH=g}_$AI(t,n=this,o,s){let a=this.strings,r=!1;if(a===void 0)t=F(this,t,n,0),r=!te(t)||t!==this._$AH&&t!==B,r&&(this._$AH=t);else{let l=t,i,u;for(t=a[0],i=0;i<a.length-1;i++)u=F(this,l[o+i],n,i),u===B&&(u=this._$AH[i]),r||=!te(u)||u!==this._$AH[i],u===g?t=g:t!==g&&(t+=(u??"")+a[i+1]),this._$AH[i]=u}r&&!s&&this.j(t)}j(t){t===g?this.element.removeAttribute(this.name):this.element.setAttribute(this.name,t??"")}},ce=class extends W{constructor(){super(...arguments),this.type=3}j(t){this.element[this.name]=t===g?void 0:t}},de=class extends W{constructor(){super(...arguments),this.type=4}j(t){this.element.toggleAttribute(this.name,!!t&&t!==g)}},ue=class extends W{constructor(t,n,o,s,a){super(t,n,o,s,a),this.type=5}_$AI(t,n=this){if((t=F(this,t,n,0)??g)===B)return;let o=this._$AH,s=t===g&&o!==g||t.capture!==o.capture||t.once!==o.once||t.passive!==o.passive,a=t!==g&&(o===g||s);s&&this.element.removeEventListener(this.name,this,o),a&&this.element.addEventListener(this.name,this,t),this._$AH=t}handleEvent(t){typeof this._$AH=="function"?this._$AH.call(this.options?.host??this.element,t):this._$AH.handleEvent(t)}},pe=class{constructor(t,n,o){this.element=t,this.type=6,this._$AN=void 0,this._$AM=n,this.options=o}get _$AU(){return this._$AM._$AU}_$AI(t){F(this,t)}},rt={M:De,P:M,A:He,C:1,L:st,R:le,D:tt,V:F,I:K,H:W,N:de,U:ue,B:ce,F:pe},on=Oe.litHtmlPolyfillSupport;on?.(ne,K),(Oe.litHtmlVersions??=[]).push("3.3.3");var R=(e,t,n)=>{let o=n?.renderBefore??t,s=o._$litPart$;if(s===void 0){let a=n?.renderBefore??null;o._$litPart$=s=new K(t.insertBefore(ee(),a),a,void 0,n??{})}return s._$AI(e),s};var sn=1500;function N(e,t="",n="Copy"){return m`<button
    type="button"
    class="nbagent-button nbagent-copy"
    aria-label=${t||g}
    .textContent=${n}
    @click=${s=>{rn(s.currentTarget,e,n)}}
  ></button>`}async function rn(e,t,n="Copy"){let o=!0;try{await navigator.clipboard.writeText(t)}catch{o=!1}e.textContent=o?"Copied":"Select it",setTimeout(()=>{e.textContent=n},sn)}var at=new WeakSet;function me(e){at.has(e)||(at.add(e),new ResizeObserver(()=>me(e)).observe(e)),e.scrollHeight>e.clientHeight+1||e.scrollWidth>e.clientWidth+1?e.tabIndex=0:e.removeAttribute("tabindex")}function ge(e){let t=document.createElement("style");return/^[\w-]+$/.test(e??"")&&(t.textContent=`.${e}, .jp-OutputArea-child:has(.${e}) { display: none !important; }`),document.head.append(t),()=>t.remove()}async function O(e,t,n,o={}){let s=globalThis.crypto?.randomUUID?.()??`${Date.now()}-${Math.random()}`,a={...o,command:t,run_id:n,command_id:s};if(await an(e,a))return"control";try{return e.send(a),"comm"}catch{return"none"}}async function it(e){return(await e.widget_manager)?.kernel}async function an(e,t){try{let n=await it(e);if(typeof n?.sendControlMessage!="function")return!1;let s={channel:"control",header:{msg_id:t.command_id,msg_type:"nbagent_request",session:n.clientId??"",username:n.username??"",date:new Date().toISOString(),version:"5.3"},parent_header:{},metadata:{},content:t,buffers:[]},a=n.sendControlMessage(s,!0,!0);a.done?.catch?.(()=>{});let r=new Promise(i=>{a.onReply=u=>i(u.content?.status==="ok"&&u.content.heard===!0)}),l=new Promise(i=>setTimeout(i,1500,!1));return await Promise.race([r,l])}catch{return!1}}async function lt(e,t){e.on("comm_live_update",t);try{let n=await it(e),o=new Set(["restarting","autorestarting","terminating","dead"]);n?.statusChanged?.connect((s,a)=>{o.has(a)&&t()}),n?.disposed?.connect(t)}catch{}}var ln=new Intl.NumberFormat("en-US"),cn=new Intl.NumberFormat("en-US",{notation:"compact",maximumFractionDigits:1}),w=e=>ln.format(e),fe=e=>cn.format(e),V=(e,t)=>`${w(e)} ${t}${e===1?"":"s"}`;function U(e){let t=Math.max(0,Math.floor(e/1e3));if(t<60)return`${t} s`;let n=Math.floor(t/60)%60,o=Math.floor(t/3600),s=a=>String(a).padStart(2,"0");return o?`${o} h ${s(n)} min`:`${n} min ${s(t%60)} s`}var ct=e=>e<1e4?`${(Math.max(0,e)/1e3).toFixed(1)} s`:U(e);function dt(e,t){let n=new Date(e);if(n.toDateString()===new Date(t).toDateString())return n.toLocaleTimeString("en-GB");let o=n.getFullYear()===new Date(t).getFullYear(),s={day:"numeric",month:"short"};return n.toLocaleDateString("en-GB",o?s:{...s,year:"numeric"})}function be(e){return e===0?"$0":e>=.1?`$${e.toLocaleString("en-US",{minimumFractionDigits:2,maximumFractionDigits:2})}`:`$${Number(e.toPrecision(2))}`}var ut=e=>e>=1?`${fe(e)}/s`:`${fe(60*e)}/min`;var dn=new Set(["completed","error","cancelled","timeout","interrupted","incomplete"]),un=new Set(["error","timeout","interrupted"]),_=e=>dn.has(e),he=e=>un.has(e);var ve="nbagent-notify",pn=1e4,mn=800,Ie=3,pt=()=>typeof Notification=="function"&&Notification.permission!=="denied"&&!!navigator.locks;function Be(){try{return pt()&&Notification.permission==="granted"&&localStorage.getItem(ve)==="on"}catch{return!1}}async function gn(){let e=!Be()&&await Notification.requestPermission()==="granted";try{localStorage.setItem(ve,e?"on":"off")}catch{return}for(let t of document.querySelectorAll(".nbagent-bell"))t.setAttribute("aria-pressed",String(e))}function ye(){return pt()?m`<button
    type="button"
    class="nbagent-button nbagent-bell"
    title="Notify me when a run ends or waits for me"
    aria-label="Notify me when a run ends or waits for me"
    aria-pressed=${Be()}
    @click=${()=>{gn()}}
  ></button>`:g}function oe(e,t){return e===void 0||e===t||_(e)?null:t==="paused"?"waits":_(t)?"ended":null}function fn(e){let t=e.filter(r=>r.status==="paused").length,[n]=e;if(n&&e.length===1)return[t?`${n.title} waits for you`:`${n.title}: ${n.status}`,"nbagent"];let o=e.slice(0,Ie).map(r=>`${r.title}: ${r.status==="paused"?"waits for you":r.status}`);e.length>Ie&&o.push(`and ${e.length-Ie} more`);let s=e.length-t;return[[t?`${V(t,"run")} ${t===1?"waits":"wait"} for you`:"",s?`${V(s,"run")} ended`:""].filter(Boolean).join(", "),o.join(`
`)]}var $e=[];function se(e,t,n){Be()&&navigator.locks.request(`${ve} ${e} ${t}`,{ifAvailable:!0},async o=>{o&&($e.push(n),$e.length===1&&setTimeout(bn,mn),await new Promise(s=>setTimeout(s,pn)))})}function bn(){let[e,t]=fn($e);$e=[];let n=new Notification(e,{body:t,tag:`${ve} ${e}`});n.onclick=()=>window.focus()}var j=class{constructor(t,n=()=>performance.now()){this.askWhole=t;this.now=n}askWhole;now;#e=-1;#t=-1/0;get seq(){return this.#e}restart(t){this.#e=t}accept(t){return typeof t!="number"||t<=this.#e?!1:t!==this.#e+1?(this.resync(),!1):(this.#e=t,!0)}resync(){this.now()-this.#t<1e3||(this.#t=this.now(),this.askWhole())}};var mt={ATTRIBUTE:1,CHILD:2,PROPERTY:3,BOOLEAN_ATTRIBUTE:4,EVENT:5,ELEMENT:6},we=e=>(...t)=>({_$litDirective$:e,values:t}),z=class{constructor(t){}get _$AU(){return this._$AM._$AU}_$AT(t,n,o){this._$Ct=t,this._$AM=n,this._$Ci=o}_$AS(t,n){return this.update(t,n)}update(t,n){return this.render(...n)}};var{I:hn}=rt,gt=e=>e;var ft=()=>document.createComment(""),q=(e,t,n)=>{let o=e._$AA.parentNode,s=t===void 0?e._$AB:t._$AA;if(n===void 0){let a=o.insertBefore(ft(),s),r=o.insertBefore(ft(),s);n=new hn(a,r,e,e.options)}else{let a=n._$AB.nextSibling,r=n._$AM,l=r!==e;if(l){let i;n._$AQ?.(e),n._$AM=e,n._$AP!==void 0&&(i=e._$AU)!==r._$AU&&n._$AP(i)}if(a!==s||l){let i=n._$AA;for(;i!==a;){let u=gt(i).nextSibling;gt(o).insertBefore(i,s),i=u}}}return n},D=(e,t,n=e)=>(e._$AI(t,n),e),$n={},Te=(e,t=$n)=>e._$AH=t,bt=e=>e._$AH,_e=e=>{e._$AR(),e._$AA.remove()};var ht=(e,t,n)=>{let o=new Map;for(let s=t;s<=n;s++)o.set(e[s],s);return o},$t=we(class extends z{constructor(e){if(super(e),e.type!==mt.CHILD)throw Error("repeat() can only be used in text expressions")}dt(e,t,n){let o;n===void 0?n=t:t!==void 0&&(o=t);let s=[],a=[],r=0;for(let l of e)s[r]=o?o(l,r):r,a[r]=n(l,r),r++;return{values:a,keys:s}}render(e,t,n){return this.dt(e,t,n).values}update(e,[t,n,o]){let s=bt(e),{values:a,keys:r}=this.dt(t,n,o);if(!Array.isArray(s))return this.ut=r,a;let l=this.ut??=[],i=[],u,d,c=0,p=s.length-1,f=0,$=a.length-1;for(;c<=p&&f<=$;)if(s[c]===null)c++;else if(s[p]===null)p--;else if(l[c]===r[f])i[f]=D(s[c],a[f]),c++,f++;else if(l[p]===r[$])i[$]=D(s[p],a[$]),p--,$--;else if(l[c]===r[$])i[$]=D(s[c],a[$]),q(e,i[$+1],s[c]),c++,$--;else if(l[p]===r[f])i[f]=D(s[p],a[f]),q(e,s[c],s[p]),p--,f++;else if(u===void 0&&(u=ht(r,f,$),d=ht(l,c,p)),u.has(l[c]))if(u.has(l[p])){let h=d.get(r[f]),y=h!==void 0?s[h]:null;if(y===null){let A=q(e,s[c]);D(A,a[f]),i[f]=A}else i[f]=D(y,a[f]),q(e,s[c],y),s[h]=null;f++}else _e(s[p]),p--;else _e(s[c]),c++;for(;f<=$;){let h=q(e,i[$+1]);D(h,a[f]),i[f++]=h}for(;c<=p;){let h=s[c++];h!==null&&_e(h)}return this.ut=r,Te(e,i),B}});var vt={approve:"Approve",deny:"Deny"},vn={approve:"approving…",deny:"denying…",gone:"kernel is gone"};function yt(e,t,n){return m`<div class="nbagent-approvals" ?hidden=${!e.length}>
    ${$t(e,Ae,o=>{let s=t.get(Ae(o)),a=r=>m`<button
          type="button"
          class=${`nbagent-button nbagent-${r}`}
          aria-label=${`${vt[r]} ${o.by?`for ${o.by}: `:""}${o.call}`}
          aria-disabled=${s!==void 0}
          @click=${()=>n(o,r)}
        >${vt[r]}</button>`;return m`<div class="nbagent-approval">
        <div class="nbagent-asking">
          <span class="nbagent-by" ?hidden=${!o.by}>${o.by}</span><code class="nbagent-asked">${o.call}</code>
        </div>
        <div class="nbagent-choice">
          ${a("approve")}${a("deny")}<span class="nbagent-said">${s?vn[s]:""}</span>
        </div>
      </div>`})}
  </div>`}var wt=we(class extends z{constructor(){super(...arguments),this.key=g}render(e,t){return this.key=e,t}update(e,[t,n]){return t!==this.key&&(Te(e),this.key=t),n}});var yn=[["table","Table"],["tree","Tree"]],wn=3,Tn=20;function Tt(e,t,n){let o=t??e.form;return m`<div class="nbagent-structured" ?hidden=${!e.form}>
    <div class="nbagent-forms" role="group" aria-label="show the answer as" ?hidden=${!e.table||!e.tree}>
      ${yn.map(([s,a])=>m`<button type="button" class="nbagent-group" aria-pressed=${s===o} @click=${()=>n(s)}>${a}</button>`)}
    </div>
    <div class="nbagent-form" role="region" aria-label="structured answer">
      ${o==="tree"&&e.tree?_t(e.tree.kids??[],1):e.table?_n(e.table):g}
    </div>
    <p class="nbagent-more" ?hidden=${o==="tree"||!e.more}>${e.more}</p>
  </div>`}function _n({columns:e,numeric:t,cells:n}){let o=s=>t[s]?"nbagent-number":"";return m`<table>
    <thead>
      <tr>${e.map((s,a)=>m`<th scope="col" class=${o(a)}>${s}</th>`)}</tr>
    </thead>
    <tbody>
      ${n.map(s=>m`<tr>${s.map((a,r)=>m`<td class=${o(r)}>${a}</td>`)}</tr>`)}
    </tbody>
  </table>`}function _t(e,t){return m`<ul class="nbagent-tree">
    ${e.map(({name:n,kind:o,text:s,note:a,kids:r})=>{if(!r){let i=n?m`<span class="nbagent-key">${n}</span>`:g;return m`<li class="nbagent-leaf-line">${i}<span class="nbagent-leaf" data-kind=${o}>${s}</span></li>`}let l=t<wn&&r.length<=Tn;return wt(`${n} ${r.length}`,m`<li>
          <details ?open=${l}>
            <summary><span class="nbagent-key">${n}</span><span class="nbagent-note">${a}</span></summary>
            ${_t(r,t+1)}
          </details>
        </li>`)})}
  </ul>`}var An=32,xn={ready:"Cancel",heard:"cancelling…",waiting:"waits for the kernel",gone:"kernel is gone"};function At(e,t,n){let o=document.createTextNode(""),s=document.createElement("div");s.className="nbagent-answer",s.setAttribute("role","region"),s.setAttribute("aria-label","answer"),s.append(o);let a=null,r=null;e.classList.add("nbagent");let l=c=>{a=c,r=null,i()},i=()=>{let c=e.querySelector(".nbagent-card"),p=c?.contains(document.activeElement)?document.activeElement:null;if(R(kn(t,s,a,n,l),e),p&&(!p.isConnected||p.hidden)&&c?.focus({preventScroll:!0}),r!==t.row){r=t.row;for(let $ of e.querySelectorAll(".nbagent-prose, .nbagent-form"))me($)}},u=c=>{let p=s.scrollHeight-s.scrollTop-s.clientHeight<An;c===null||o.length+c.length!==t.text.length?o.data=t.text:c&&o.appendData(c),s.hidden=!t.text||!!t.row.html,p&&!t.row.final&&(s.scrollTop=s.scrollHeight),me(s)},d=setInterval(()=>t.row.final||i(),1e3);return{update(c){i(),u(c)},end:()=>clearInterval(d)}}function kn(e,t,n,o,s){let{row:a}=e;return m`<section class="nbagent-card" tabindex="-1" data-status=${a.status} aria-label=${`run ${a.title}`}>
    ${Cn(e,o)}
    <p class="nbagent-banner" ?hidden=${!a.banner}>${a.banner}</p>
    <div class="nbagent-body">
      ${Sn(a.members)}
      <p class="nbagent-waiting" ?hidden=${!a.waiting}>${a.waiting}</p>
      ${yt(a.approvals,e.decided,o.decide)} ${Tt(a,n,s)}
      <div
        class="nbagent-prose"
        role="region"
        aria-label="answer"
        ?hidden=${!a.html}
        .innerHTML=${a.html??""}
      ></div>
      ${a.form?g:t}
      <details class="nbagent-raw" ?hidden=${!a.form}>
        <summary>raw answer</summary>
        ${a.form?t:g}
      </details>
      ${Rn(a)}
      <div class="nbagent-error" ?hidden=${!a.error.some(Boolean)}>
        ${a.error.filter(Boolean).map((r,l)=>m`<p class=${l?"nbagent-todo":"nbagent-what"}>${r}</p>`)}
      </div>
    </div>
    ${Mn(a)}
  </section>`}function Cn({row:e,cancel:t,beganAt:n},o){let s=e.began_ms===null?"":U(performance.now()-n),a=xn[t];return m`<header class="nbagent-head">
    <span class="nbagent-status" role="status" aria-live="polite"
      ><span class="nbagent-chip">${e.reason?`${e.status}: ${e.reason}`:e.status}</span></span
    >
    <div class="nbagent-names">
      <span class="nbagent-title">${e.title}</span
      ><span class="nbagent-origin">${[e.agent,e.model].filter(Boolean).join(" · ")}</span>
    </div>
    <span class="nbagent-elapsed">${e.final?e.took:s}</span>
    ${e.final?g:ye()}
    <button
      type="button"
      class="nbagent-button nbagent-cancel"
      ?hidden=${e.final}
      aria-disabled=${t!=="ready"}
      aria-label=${t==="ready"?`Cancel ${e.title}`:a}
      @click=${o.cancel}
    >${a}</button>
  </header>`}function Sn(e){return m`<ul class="nbagent-members" aria-label="members" ?hidden=${!e.length}>
    ${e.map(t=>m`<li class="nbagent-member" data-status=${t.status} style=${`padding-inline-start: ${(t.depth-1)*1.5}em`}>
          <span class="nbagent-name">${t.name}</span><span class="nbagent-state">${t.status}</span
          ><span class="nbagent-value">${t.tokens}</span>
        </li>`)}
  </ul>`}function Rn(e){let t=[...e.calls.map(n=>["call",n]),...e.called?[["called",e.called]]:[],...e.retry?[["retry",e.retry]]:[],...e.notices.map(n=>["notice",n])];return m`<div class="nbagent-activity" ?hidden=${!t.length}>
    ${t.map(([n,o])=>m`<p class=${`nbagent-${n}`}>${o}</p>`)}
  </div>`}function Mn(e){return m`<footer class="nbagent-foot">
    <div class="nbagent-facts" ?hidden=${!e.facts.length}>
      ${e.facts.map(([t,n])=>m`<span class="nbagent-fact" title=${n==="?"?"the provider did not say":g}
            ><span class="nbagent-name">${t} </span><span class="nbagent-value">${n}</span></span
          >`)}
    </div>
    <div class="nbagent-access">
      <code class="nbagent-code">${e.code}</code>${N(e.code,`Copy ${e.code}`)}
    </div>
  </footer>`}var Ae=e=>`${e.run_id} ${e.step} ${e.tool_call_id}`,En={run_id:"",title:"",agent:"",model:"",banner:"",status:"pending",reason:"",final:!1,began_ms:null,waiting:"",approvals:[],calls:[],called:"",members:[],retry:"",notices:[],error:[],table:null,tree:null,more:"",form:"",html:null,took:"",facts:[],code:""};function xe(){let e={row:En,text:"",beganAt:0,cancel:"ready",decided:new Map},t=new Set,n=new j(()=>{}),o=d=>t.forEach(c=>c.update(d)),s=d=>{e.beganAt=performance.now()-Math.max(0,d-(e.row.began_ms??d))},a=d=>{let c=e.row.run_id===d.run_id?e.row.status:void 0;e.row=d;let p=oe(c,d.status);p&&se(d.run_id,p,d)},r=d=>{d?.row&&(n.restart(d.seq),a(d.row),e.text=d.text,e.decided.clear(),s(d.now_ms),o(null))},l=d=>{n.accept(d?.seq)&&(d.row&&(a(d.row),s(d.now_ms)),e.text+=d.append,o(d.append))},i=async d=>{if(e.cancel!=="ready"||e.row.final)return;e.cancel="heard",o("");let c=await O(d,"cancel",e.row.run_id);c==="none"?e.cancel="gone":c==="comm"&&setTimeout(()=>{e.cancel==="heard"&&(e.cancel="waiting"),o("")},3e3),o("")},u=async(d,c,p)=>{let f=Ae(c);if(e.decided.has(f)||e.row.final)return;e.decided.set(f,p),o("");let $={tool_call_id:c.tool_call_id,step:c.step,card:e.row.run_id};await O(d,p,c.run_id,$)==="none"&&e.decided.set(f,"gone"),o("")};return{initialize(d){n=new j(()=>{O(d,"resend",e.row.run_id)}),r(d.get("card")),d.on("change:card",()=>r(d.get("card"))),d.on("msg:custom",l)},render(d,c){let p=At(c,e,{cancel:()=>{i(d)},decide:($,h)=>{u(d,$,h)}}),f=ge(d.get("key"));return t.add(p),p.update(null),()=>{t.delete(p),p.end(),f()}}}}function xt(e){let t=new Map,n=(l,i)=>(t.get(l)??[]).forEach(u=>u(i)),o=new Set,s=xe(),a={get:l=>({card:r.card,key:""})[l],on:(l,i)=>{t.set(l,[...t.get(l)??[],i])},send:l=>e.send(l),get widget_manager(){return e.widget_manager}},r={card:null,details:null,hear(l){if("card"in l){let i=r.card===null;r.card=l.card,i?s.initialize(a):n("change:card")}else"details"in l?r.details=l.details:n("msg:custom",l);o.forEach(i=>i())},follow(l){return o.add(l),()=>{o.delete(l)}},renderCard:l=>s.render(a,l)};return r}var Nn=60*1e3,kt=(e,t,n="",o)=>({key:e,line:t,batchId:n,kids:t?null:[],sums:null,told:o,unfolded:!1});function ke(e,t){let n=new Map;for(let[a,r]of e)n.set(a,kt(a,r));let o=[],s=new Map;for(let a of n.values()){let r=a.line.row,l=r.parent===null?void 0:n.get(r.parent);if(l&&l!==a)(l.kids??=[]).push(a);else if(r.batch){let i=s.get(r.batch);i||(i=kt(`batch ${r.batch}`,null,r.batch,t.get(r.batch)),s.set(r.batch,i),o.push(i)),i.kids?.push(a)}else o.push(a)}return o}var St=e=>({status:e.status,title:e.title,model:e.model,created:e.created_ms,began:e.began_ms,ended:e.ended_ms,tokens:e.tokens,cost:e.cost,priced:e.priced,of:0,open:0,waiting:+(e.status==="paused"),failed:0,cancelled:0,ends:[],rate:null,endless:!1});function E(e){return e.line&&!e.kids?St(e.line.row):e.sums??=On(e)}function On(e){let t=(e.kids??[]).map(E),n=e.line?St(e.line.row):null,o=n?[n,...t]:t,s=c=>o.map(p=>p[c]).filter(p=>p!==null),a=c=>{let p=s(c);return p.length?p.reduce((f,$)=>f+$,0):null},r=t.filter(c=>c.status==="cancelled").length,l=e.told?Hn(e.told,r):null,i=l?l.open:t.filter(c=>!_(c.status)).length,u=o.map(c=>c.priced).filter(c=>c!==null),d=s("ended");return{status:n?n.status:Dn(t,i,!!l?.cancelled),title:n?.title??t[0]?.title??"batch",model:n?.model??t[0]?.model??"",created:n?n.created:Ct(s("created")),began:n?n.began:Ct(s("began")),ended:n?n.ended:i?null:Pn(d),tokens:a("tokens"),cost:a("cost"),priced:u.length?u.every(Boolean):null,of:t.length,open:i,waiting:o.reduce((c,p)=>c+p.waiting,0),failed:t.filter(c=>he(c.status)).length,cancelled:r,ends:d,rate:null,endless:!1,...l}}function Dn(e,t,n){if(t)return"running";let o=new Set(e.map(s=>s.status));return n&&o.add("cancelled"),o.size===1?e[0]?.status??"incomplete":"incomplete"}function Hn({total:e,done:t,failed:n,not_asked:o,rate:s,finished:a},r){let l=t+n+o,i=a?0:Math.max(1,(e??l+1)-l),u=a?Math.min(n,r):0;return{of:l+i,open:i,failed:n-u,cancelled:u+o,rate:s,endless:e===null}}function Ln({began:e,ended:t,ends:n,of:o,rate:s},a){if(s!==null)return s;if(e===null||!n.length)return 0;if(t!==null)return t>e?1e3*o/(t-e):0;let r=Math.max(e,a-Nn),l=n.reduce((i,u)=>i+ +(u>=r),0);return a-r<1e3?0:1e3*l/(a-r)}function Rt(e,t){let n=e.of-e.open,o=Ln(e,t),s=e.open>0&&!e.endless;return[e.endless?w(n):e.open?`${w(n)} of ${w(e.of)}`:`all ${w(e.of)} ended`,e.waiting?`${w(e.waiting)} ${e.waiting===1?"waits":"wait"} for you`:"",e.failed?`${w(e.failed)} failed`:"",e.cancelled?`${w(e.cancelled)} cancelled`:"",s?`${w(e.open)} left`:"",o?ut(o):"",o&&s?`${U(1e3*e.open/o)} to go`:""].filter(Boolean)}function We(e){for(let t of e)t.kids&&(t.sums=null,We(t.kids))}var Ct=e=>e.length?e.reduce((t,n)=>n<t?n:t):null,Pn=e=>e.length?e.reduce((t,n)=>n>t?n:t):null;var Mt={command:null,word:""},In=new Set(["error","timeout","interrupted"]),Bn={cancel:"cancelling…",cancel_batch:"cancelling…",retry:"retrying…",retry_batch:"retrying…",resume:"resuming…",approve:"approving…",deny:"denying…"},Ve=e=>e.line?e.key:e.batchId,Ce=e=>e==="cancel"||e==="cancel_batch";function G(e,t){if(t.gone)return Mt;let n=t.asked.get(Ve(e));if(n)return{command:null,word:n.how==="waiting"?"waiting…":Bn[n.name]??"…"};let{status:o}=E(e);return _(o)?e.told?.failed?{command:"retry_batch",word:"Retry"}:!e.line||e.line.row.parent?Mt:In.has(o)?{command:"resume",word:"Resume"}:{command:"retry",word:"Retry"}:{command:e.line?"cancel":"cancel_batch",word:"Cancel"}}function Et(e){let{steps:t,tools:n,messages:o}=e,s=e.left?m`<p class="nbagent-more">${w(e.left)} earlier messages are in the store</p>`:g;return[t.rows.length?Y("Steps",t.rows.length,!0,Fn(t.span_ms,t.rows)):g,n.length?Y("Tool calls",n.length,!0,n.map(Wn)):g,e.traceback?Y("Traceback",0,!1,Se(e.traceback)):g,o.length?Y("Messages",o.length+e.left,!1,[s,o.map(Vn)]):e.prompt?Y("Prompt",0,!1,Se(e.prompt)):g,Y("About",0,!1,[Un(e.about),jn(e.code)])]}function Y(e,t,n,o){let s=t?m`<span class="nbagent-count"> ${w(t)}</span>`:g;return m`<details class="nbagent-section" data-name=${e} ?open=${n}>
    <summary>${e}${s}</summary>
    <div class="nbagent-section-body">${o}</div>
  </details>`}function Fn(e,t){return m`<ol class="nbagent-steps">
    ${t.map(n=>{let o=`left: ${100*n.at_ms/e}%; width: ${Math.max(.6,100*n.ms/e)}%`,s=n.status==="completed"?"":`${n.status} · `;return m`<li class="nbagent-step" data-kind=${n.kind} data-status=${n.status}>
        <span class="nbagent-step-name">${`${n.step}  ${n.name}`}</span>
        <div class="nbagent-track" aria-hidden="true"><div class="nbagent-bar" style=${o}></div></div>
        <span class="nbagent-step-note">${s+n.note}</span>
      </li>`})}
  </ol>`}function Wn(e){let t=e.status==="completed"?"":` · ${e.status}`,n=(o,s)=>s?m`<p class="nbagent-label">${o}</p>${Se(s)}`:g;return m`<details class="nbagent-tool">
    <summary><code class="nbagent-tool-call">${e.call}</code><span class="nbagent-tool-note">${e.took}${t}</span></summary>
    ${n("Arguments",e.arguments||"{}")}${n("Error",e.error)}${n("Result",e.result)}
  </details>`}function Vn(e){return m`<div class="nbagent-message">
    <p class="nbagent-label">${[e.role,e.name].filter(Boolean).join(" · ")}</p>
    ${e.text?Se(e.text):g}
    ${e.calls.map(t=>m`<p class="nbagent-call">calls ${t}</p>`)}
    ${e.files.map(t=>m`<p class="nbagent-more">${t}</p>`)}
  </div>`}function Se(e){return m`<div class="nbagent-block">
    <pre class="nbagent-block-text" tabindex="0">${e}</pre>
    ${N(e)}
  </div>`}function Un(e){return m`<dl class="nbagent-pairs">${e.map(([t,n])=>m`<dt>${t}</dt><dd>${n}</dd>`)}</dl>`}function jn(e){return m`<p class="nbagent-access">
    <code class="nbagent-code">${e}</code>${N(e,`Copy ${e} from the list`)}
  </p>`}function Nt(e,t,n){let{run:o,close:s}=n,a=document.createElement("article");a.className="nbagent-opened",a.setAttribute("aria-label","opened run"),a.addEventListener("keydown",d=>{d.key==="Escape"&&s()});let r=document.createElement("div");r.className="nbagent-opened-card";let l=null;e.append(a);let i=()=>{R(Gn(t,r,n),a),o.card&&!l&&(l=o.renderCard(r))},u=o.follow(i);return i(),requestAnimationFrame(()=>a.scrollIntoView({block:"nearest",behavior:"auto"})),{update:i,end(){u(),l?.(),a.remove()}}}function Gn(e,t,{state:n,run:o,command:s,close:a}){let r=n.rows.get(e),[l]=r?ke(new Map([[e,r]]),new Map):[],{command:i,word:u}=l?.line?G(l,n):{command:null,word:""},d=u&&!Ce(i)&&u!=="cancelling…",c=n.gone?"It cannot be opened: the kernel is gone.":"Opening…";return m`<div class="nbagent-opened-bar">
      <p class="nbagent-opened-id">${r?r.row.prompt||r.row.title:e}</p>
      <button
        type="button"
        class="nbagent-button nbagent-again"
        ?hidden=${!d}
        aria-disabled=${!i}
        @click=${()=>i&&s(i,e)}
      >${u}</button>
      ${Kn(o.details)}
      <button type="button" class="nbagent-button nbagent-shut" @click=${a}>Close</button>
    </div>
    <p class="nbagent-waiting" ?hidden=${o.card!==null}>${c}</p>
    ${t}
    <div class="nbagent-sections">${o.details?Et(o.details):g}</div>`}function Kn(e){if(!e)return g;let t=e.answer?N(e.answer,"","Copy answer"):g;return m`${t}${N(e.code,`Copy ${e.code}`,"Copy code")}`}var Dt={status:e=>e.status,title:e=>e.title.toLowerCase(),model:e=>e.model.toLowerCase(),tokens:e=>e.tokens,cost:e=>e.cost,time:(e,t)=>e.began===null?null:(e.ended??t)-e.began,created:e=>e.created},Ht=e=>e in Dt;function Lt(e){if(e.hay===null){let{title:t,agent:n,model:o,session:s,id:a,prompt:r,says:l,error:i,batch:u}=e.row;e.hay=[t,n,o,s??"",a,r,l,i,u??""].join(`
`).toLowerCase()}return e.hay}var Ot=(e,t=0)=>t||e==="paused"?0:e==="running"?1:e==="pending"?2:3;function zn(e,t,n){if(!t&&e.line&&!e.kids){let{status:a,created_ms:r}=e.line.row;return{node:e,value:null,first:Ot(a),created:r??0}}let o=E(e),s=t?Dt[t.by](o,n):null;return{node:e,value:s,first:Ot(o.status,o.waiting),created:o.created??0}}function qn(e,t,n){let o=e.map(a=>zn(a,t,n)),s=(a,r)=>r.created-a.created||(a.node.key<r.node.key?1:-1);return o.sort((a,r)=>t?a.value===null||r.value===null?+(a.value===null)-+(r.value===null)||s(a,r):a.value===r.value?s(a,r):(a.value<r.value?-1:1)*(t.down?-1:1):a.first-r.first||s(a,r)),o.map(a=>a.node)}var Pt={self:!0,kids:new Map};function It(e,t){let n=e.line?t.test(e.line):!1;if(!e.kids)return n?Pt:null;let o=Bt(e.kids,t);return n||o.size?{self:n,kids:o}:null}function Bt(e,t){let n=new Map;for(let o of e){let s=It(o,t);s&&n.set(o,s)}return n}function Ft(e,t,n,o,s){let a=[],r=(l,i,u)=>{for(let d of qn([...l.keys()],u,s)){let c=l.get(d);if(a.push({node:d,depth:i}),d.unfolded=o.get(d.key)??(t.narrow&&!c.self&&c.kids.size>0),!d.unfolded||!d.kids)continue;let f=c.self&&d.line?new Map(d.kids.map($=>[$,It($,t)??Pt])):c.kids;r(f,i+1,u??(d.line?{by:"created",down:!1}:null))}};return r(Bt(e,t),0,n),a}var Re=[["all","All",()=>!0],["waiting","Waiting",e=>e==="paused"],["running","Running",e=>!_(e)],["completed","Completed",e=>e==="completed"],["failed","Failed",he],["cancelled","Cancelled",e=>e==="cancelled"]],Me=["agent","model","session"],Ue={text:"",group:"all",agent:"",model:"",session:""};function je(e){let t=e.text.toLowerCase().split(/\s+/).filter(Boolean),n=Re.find(([o])=>o===e.group)?.[2]??(()=>!0);return{narrow:!!(t.length||e.agent||e.model||e.session||e.group!=="all"),test(o){let{row:s}=o;if(!n(s.status))return!1;for(let a of Me)if(e[a]&&s[a]!==e[a])return!1;return!t.length||t.every(a=>Lt(o).includes(a))}}}function Wt(e,t){let n={runs:0,running:0,tokens:null,cost:null,priced:0,called:0,counts:{all:0,waiting:0,running:0,completed:0,failed:0,cancelled:0}};for(let o of e){let{row:s}=o;for(let[a,,r]of Re)r(s.status)&&(n.counts[a]+=1);t.test(o)&&(n.runs+=1,_(s.status)||(n.running+=1),s.tokens!==null&&(n.tokens=(n.tokens??0)+s.tokens),s.priced!==null&&(n.called+=1),s.cost!==null&&(n.cost=(n.cost??0)+s.cost,n.priced+=1))}return n}var Yn=200;function Vt(e,t,n){let o=new Map;for(let{row:r}of e){let l=r[t];l&&o.set(l,(o.get(l)??0)+1)}let a=[...o].filter(([,r])=>t!=="session"||r>1).slice(0,Yn).map(([r])=>r).sort();return n&&!a.includes(n)&&a.push(n),a}var Xn=["This panel’s kernel is gone; what it showed last is below.","Run the cell again for a live one."];function Ut(e,t,n){let o=document.createElement("div");o.className="nbagent-bars";let s=null,a=!1,r={agent:[],model:[],session:[]};return{el:o,sum(i){s=Wt(e.rows.values(),i),a=i.narrow},choose(){r={agent:[],model:[],session:[]};for(let i of Me)r[i]=Vt(e.rows.values(),i,t[i])},draw:()=>{let i=s?.counts.running??0;R(m`${Qn(e,t,s,a,i,n)}${eo(e)}${to(e,t,s,r,n)}`,o),o.parentElement?.toggleAttribute("data-gone",e.gone)}}}function Jn(e,t,n){let o=t.group==="waiting";if(!e&&!o)return g;let s=()=>{t.group=o?"all":"waiting",n.refilter()},a=e===1?"1 waits for you":e?`${w(e)} wait for you`:"none waits";return m`<button type="button" class="nbagent-button nbagent-waits" aria-pressed=${o} @click=${s}>${a}</button>`}function Qn(e,t,n,o,s,a){let r=e.asked.has(""),l=s>0&&!e.gone&&e.only===null,i=r?"cancelling…":s>1?`Cancel all ${w(s)}`:"Cancel it";return m`<div class="nbagent-panel-head">
    ${Jn(n?.counts.waiting??0,t,a)}
    <p class="nbagent-totals" role="status">${n?Zn(e,n,o):"nbagent"}</p>
    ${e.gone?g:ye()}
    <button
      type="button"
      class="nbagent-button nbagent-cancel-all"
      ?hidden=${!l}
      aria-disabled=${r}
      @click=${()=>a.command("cancel_all","")}
    >${i}</button>
  </div>`}function Zn(e,t,n){if(!e.rows.size)return"nbagent";let o=n?e.rows.size:Math.max(e.total,e.rows.size);return[t.running?`${w(t.running)} running`:"",t.runs<o?`${w(t.runs)} of ${w(o)} runs`:V(o,"run"),t.tokens===null?"":`${fe(t.tokens)} tokens`,t.cost===null?"":be(t.cost),t.priced<t.called?`cost known for ${w(t.priced)} of ${w(t.called)}`:""].filter(Boolean).join(" · ")}function eo(e){let t=[...e.gone?[Xn]:[],...e.trouble.length&&!e.gone?[e.trouble]:[],...e.said];return m`<div class="nbagent-trouble" role="alert" ?hidden=${!t.length}>
    ${t.map(([n,o])=>m`<div class="nbagent-one-trouble"><p class="nbagent-what">${n}</p><p class="nbagent-todo">${o}</p></div>`)}
  </div>`}function to(e,t,n,o,s){let a=(r,l)=>{t[r]=l,s.refilter()};return m`<div class="nbagent-filters" role="search" ?hidden=${!e.rows.size||e.only!==null}>
    <div class="nbagent-groups" role="group" aria-label="Status">
      ${Re.map(([r,l])=>m`<button
            type="button"
            class="nbagent-group"
            aria-pressed=${t.group===r}
            @click=${()=>a("group",r)}
          >${l}<span class="nbagent-count"> ${w(n?.counts[r]??0)}</span></button>`)}
    </div>
    <input
      type="search"
      class="nbagent-search"
      placeholder="Search runs"
      spellcheck="false"
      aria-label="Search runs by text"
      .value=${t.text}
      @input=${r=>a("text",r.target.value)}
    />
    ${Me.map(r=>m`<select
          class="nbagent-select"
          aria-label=${`Filter by ${r}`}
          ?hidden=${o[r].length<2&&!t[r]}
          @change=${l=>a(r,l.target.value)}
        >
          <option value="" ?selected=${!t[r]} .selected=${!t[r]}>Any ${r}</option>
          ${o[r].map(l=>m`<option value=${l} .selected=${l===t[r]}>${l}</option>`)}
          ${g}
        </select>`)}
  </div>`}var jt=[["status","Status"],["title","Run"],["model","Model"],["says","Answer"],["tokens","Tokens"],["cost","Cost"],["time","Time"],["created","Launched"],["action",""]];function Gt({node:e,depth:t},n,o,s){let{seen:a,state:r,now:l}=s,i=E(e),u=e.line?.row??null,d=G(e,r),c=_(i.status)?"?":"",p=e.kids?u?`+${e.kids.length}`:`× ${w(i.of)}`:"",f=i.cost===null?c:`${i.priced?"":"≥ "}${be(i.cost)}`;return m`<div
    class="nbagent-line"
    role="row"
    id=${n}
    style=${`transform: translateY(${o*H}px); --nb-depth: ${t}`}
    data-key=${e.key}
    data-status=${i.status}
    data-offer=${`${e.key} ${d.command}`}
    aria-rowindex=${o+2}
    aria-level=${t+1}
    aria-selected=${a.openId===e.key}
    aria-expanded=${e.kids?e.unfolded:g}
    ?data-active=${a.active===e.key}
    ?data-batch=${!u}
    ?data-asks=${!!u?.asks}
    ?data-waits=${i.waiting>0}
  >
    <div class="nbagent-cell nbagent-c-status" role="gridcell"
      ><span class="nbagent-chip">${u?.reason?`${i.status}: ${u.reason}`:i.status}</span></div
    >
    <div class="nbagent-cell nbagent-c-title" role="gridcell"
      ><span class="nbagent-twist" data-part="twist" aria-hidden="true" ?hidden=${!e.kids}></span
      ><span class="nbagent-title">${i.title}</span><span class="nbagent-kids">${p}</span></div
    >
    <div class="nbagent-cell nbagent-c-model" role="gridcell">${i.model}</div>
    ${u?.asks?no(u,u.asks,r):u?oo(u,i.waiting):so(i,l)}
    <div class="nbagent-cell nbagent-c-tokens" role="gridcell">${i.tokens===null?c:w(i.tokens)}</div>
    <div class="nbagent-cell nbagent-c-cost" role="gridcell">${f}</div>
    <div class="nbagent-cell nbagent-c-time" role="gridcell">${ro(i,l)}</div>
    <div class="nbagent-cell nbagent-c-created" role="gridcell">${i.created===null?"":dt(i.created,l)}</div>
    <div class="nbagent-cell nbagent-c-action" role="gridcell"
      ><button
        type="button"
        class="nbagent-button nbagent-act"
        tabindex="-1"
        data-part="action"
        data-command=${d.command??""}
        aria-disabled=${!d.command}
        aria-label=${`${d.word} ${i.title}`}
        ?hidden=${!d.word}
      >${d.word}</button></div
    >
  </div>`}function no(e,[t,n,o],s){let a=s.asked.has(e.id)||s.gone,r=(i,u)=>m`<button
      type="button"
      class=${`nbagent-button nbagent-act nbagent-${i}`}
      tabindex="-1"
      data-part=${i}
      aria-disabled=${a}
      aria-label=${`${u} ${n}`}
    >${u}</button>`,l=o===void 0?g:m`${r("approve","Approve")}${r("deny","Deny")}`;return m`<div class="nbagent-cell nbagent-c-says nbagent-asks" role="gridcell" ?data-one=${o!==void 0}
    ><code class="nbagent-asked-line" title=${n}>${n}</code>${l}<button
      type="button"
      class="nbagent-button nbagent-act nbagent-review"
      tabindex="-1"
      data-part="row"
      aria-label=${`Review ${e.title}`}
    >${t>1?`Review ${t}`:"Review"}</button></div
  >`}function oo(e,t){let n=t?`${V(t,"member")} ${t===1?"waits":"wait"} for you`:"",o=e.error||n||e.says;return m`<div
    class="nbagent-cell nbagent-c-says"
    role="gridcell"
    ?data-prompt=${!o}
    ?data-error=${!!e.error}
  >${o||e.prompt}</div>`}function so(e,t){let n=Rt(e,t),o=e.of-e.open,s=[["completed",o-e.failed-e.cancelled],["failed",e.failed],["cancelled",e.cancelled]];return m`<div class="nbagent-cell nbagent-c-says" role="gridcell" title=${n.join(" · ")}
    ><div
      class="nbagent-progress"
      role="progressbar"
      aria-label=${`batch ${e.title}`}
      aria-valuemin="0"
      aria-valuemax=${e.of}
      aria-valuenow=${o}
      aria-valuetext=${n.join(", ")}
    >${s.map(([a,r])=>m`<div class=${`nbagent-progress-part nbagent-p-${a}`} style=${`width: ${100*r/e.of}%`}></div>`)}</div>${n.join(" · ")}</div
  >`}function ro(e,t){return e.began===null?"":e.ended!==null?ct(e.ended-e.began):U(_(e.status)?0:t-e.began)}var H=34,Ee=12,ao=6,Kt=6,io=300,lo=0;function qt(e){let t=`nbagent-grid-${lo+=1}-${Math.random().toString(36).slice(2,8)}`,n=co(),o=(d,c)=>{let p=document.createElement("div");return p.className=`nbagent-${d}`,c&&p.setAttribute("role",c),p},s=o("grid-head","rowgroup"),a=o("sizer","rowgroup"),r=o("empty",null);n.append(s,a,r),R(zt(e.sort,null),s);let l=new Ge(a),i=0,u=-1;return n.addEventListener("scroll",e.scroll,{passive:!0}),n.addEventListener("keydown",d=>{d.target===n&&e.key(d)}),a.addEventListener("click",d=>{let c=d.target,p=c.closest(".nbagent-line");if(!p)return;let f=c.closest("[data-part]")?.dataset.part??"row";f!=="row"&&f!=="twist"&&!l.meant(d,p)||f==="row"&&String(getSelection())||e.click(p.dataset.key??"",f)}),new ResizeObserver(e.scroll).observe(n),{el:n,showSort:d=>{R(zt(e.sort,d),s)},showEmpty(d,c){r.hidden=!d,s.hidden=a.hidden=!!d,R(d?uo(d,c):g,r)},reveal(d){let c=s.offsetHeight,p=d*H;p<n.scrollTop?n.scrollTop=p:p+H+c>n.scrollTop+n.clientHeight&&(n.scrollTop=p+H+c-n.clientHeight)},paint(d,c){let{lines:p}=d,f=`${p.length*H}px`;a.style.height!==f&&(a.style.height=f);let $=Math.min(d.openId?ao:Ee,Math.max(1,p.length));$!==i&&n.style.setProperty("--nb-rows",String(i=$)),p.length!==u&&n.setAttribute("aria-rowcount",String((u=p.length)+1));let h=Math.max(0,Math.floor(n.scrollTop/H)-Kt),y=Math.min(p.length,Math.ceil((n.scrollTop+n.clientHeight)/H)+Kt),A=re(c),C=p.slice(h,y);R(C.map((x,k)=>Gt(x,`${t}-${k}`,h+k,{seen:d,state:c,now:A})),a),l.look();let S=C.findIndex(x=>x.node.key===d.active);S>=0?n.setAttribute("aria-activedescendant",`${t}-${S}`):n.removeAttribute("aria-activedescendant")}}}function co(){let e=document.createElement("div");return e.className="nbagent-grid",e.tabIndex=0,e.setAttribute("role","treegrid"),e.setAttribute("aria-label","Runs"),e.setAttribute("aria-description","Enter opens a run, Right and Left unfold and fold, Delete cancels."),e}var Ge=class{constructor(t){this.home=t;t.addEventListener("pointerdown",n=>{let o=n.target.closest(".nbagent-line");this.#n=o&&!o.hasAttribute("data-moved")?o.dataset.offer??null:null})}home;#e=new WeakMap;#t=new WeakMap;#n=null;meant(t,n){return!t.detail||this.#n===n.dataset.offer}look(){for(let t of this.home.children){let n=t.dataset.offer??"",o=this.#e.get(t);this.#e.set(t,n),!(o===void 0||o===n)&&(t.setAttribute("data-moved",""),clearTimeout(this.#t.get(t)),this.#t.set(t,setTimeout(()=>t.removeAttribute("data-moved"),io)))}}};function zt(e,t){return m`<div class="nbagent-line" role="row">
    ${jt.map(([n,o])=>{let s=t?.by===n?t.down?"descending":"ascending":g;return m`<div class=${`nbagent-cell nbagent-c-${n}`} role="columnheader" aria-sort=${s}>
        ${Ht(n)?m`<button type="button" class="nbagent-sort" @click=${()=>e(n)}>${o}</button>`:o||m`<span class="nbagent-unseen">Action</span>`}
      </div>`})}
  </div>`}function uo([e,t],n){let o=t==="clear"?m`<button type="button" class="nbagent-button" @click=${n}>Clear filters</button>`:t?m`<p class="nbagent-todo">Launch one from a cell:</p>
            <pre class="nbagent-sample">${t}</pre>`:g;return m`<p>${e}</p>
    ${o}`}var po=new Set(["tokens","cost","time","created"]),mo={tokens:["tokens"],cost:["cost"],time:["began_ms","ended_ms"]},go=`%%agent_bg
What is the capital of France?`;function Yt(e,t){let{state:n,command:o}=t,s={...Ue},a=new Map,r={sort:null,lines:[],active:null,openId:null},l=null,i=null,u=0,d=document.createElement("section");d.className="nbagent-panel",d.setAttribute("aria-label","nbagent runs"),d.dataset.lmSuppressShortcuts="true";let c=Ut(n,s,{refilter:A,command:o}),p=qt({sort:C,key:Zt,click:ae,scroll:J}),f=document.createElement("div");f.className="nbagent-below",d.append(c.el,p.el,f),e.classList.add("nbagent"),e.append(d);function $(){i??=ke(n.rows,n.batches);let b=je(s);r.lines=Ft(i,b,r.sort,a,re(n)),r.lines.some(v=>v.node.key===r.active)||(r.active=r.lines[0]?.node.key??null),c.sum(b),p.showEmpty(h(),y)}function h(){return r.lines.length?null:!n.loaded&&!n.trouble.length?["Reading the record…",""]:n.rows.size?["No run matches.","clear"]:n.trouble.length?["The record cannot be read now.",""]:n.only?["No row is asked yet.",""]:["No runs yet.",go]}function y(){Object.assign(s,Ue),A()}function A(){p.el.scrollTop=0,$(),c.draw(),J()}function C(b){let v=po.has(b);r.sort?.by!==b?r.sort={by:b,down:v}:r.sort=r.sort.down===v?{by:b,down:!v}:null,p.showSort(r.sort),$(),J()}function S(b){let v=Math.max(0,Math.min(r.lines.length-1,b)),T=r.lines[v];T&&(r.active=T.node.key,p.reveal(v),X())}function x(b,v=!b.unfolded){b.kids&&(a.set(b.key,v),$(),X())}function k(b){if(r.openId=r.openId===b?null:b,l?.end(),l=null,p.el.classList.toggle("nbagent-beside",!!r.openId),r.openId){let v=()=>{k(r.openId),p.el.focus()};l=Nt(f,r.openId,{state:n,command:o,run:t.openRun(r.openId),close:v})}X()}function ae(b,v){let T=r.lines.find(Q=>Q.node.key===b)?.node;T&&(r.active=b,v==="action"?Ke(T):v==="approve"||v==="deny"?Qt(T,v):v==="twist"||!T.line?x(T):k(b),X())}function Qt(b,v){let[,,T,Q]=b.line?.row.asks??[];T===void 0||Q===void 0||o(v,b.key,{step:T,tool_call_id:Q})}function Ke(b){let{command:v}=G(b,n);v&&o(v,Ve(b))}function Zt(b){let v=r.lines.findIndex(T=>T.node.key===r.active);en(b.key,v,r.lines[v]?.node)&&b.preventDefault()}function en(b,v,T){let ze={ArrowDown:v+1,ArrowUp:v-1,PageDown:v+Ee-1,PageUp:v+1-Ee,Home:0,End:r.lines.length-1}[b];if(ze!==void 0)S(ze);else if(b==="ArrowRight"&&T?.kids)x(T,!0);else if(b==="ArrowLeft"&&T?.unfolded)x(T,!1);else if((b==="Enter"||b===" ")&&T)ae(T.key,"row");else if(b==="Delete"&&T&&Ce(G(T,n).command))Ke(T);else if(b==="Escape"&&r.openId)k(r.openId);else return!1;return!0}function X(){u=0,p.paint(r,n)}function J(){u||=requestAnimationFrame(X)}let tn=b=>s.text&&(b.has("says")||b.has("error"))?!0:!!(r.sort&&mo[r.sort.by]?.some(v=>b.has(v)));return{update(b){if(b==="time"){r.lines.some(({node:v})=>!_(E(v).status))&&J();return}b==="all"?i=null:b!=="cells"&&We(i??[]),b==="all"||b!=="cells"&&tn(b)?$():b!=="cells"&&c.sum(je(s)),b==="all"&&c.choose(),c.draw(),l?.update(),J()},end(){cancelAnimationFrame(u),l?.end()}}}var fo=12e3,bo=3e4,re=e=>e.stoppedMs??Date.now()+e.skewMs;function Xt(e){let t={rows:new Map,batches:new Map,total:0,loaded:!1,trouble:[],said:[],asked:new Map,only:null,gone:!1,skewMs:0,stoppedMs:null},n=new Set,o=new Map,s=new j(()=>{O(e,"resend_table","")}),a=ho(t),r=h=>{h==="all"&&a(),n.forEach(y=>y.update(h))},l=[],i=h=>{if(!h?.columns)return;l=h.columns;let y=JSON.parse(h.lines).map(k=>Jt(l,k));t.rows=new Map(y.map(k=>[k.row.id,k])),t.batches=new Map(Object.entries(h.batches));let{total:A,loaded:C,trouble:S,only:x}=h;Object.assign(t,{total:A,loaded:C,trouble:S,only:x,gone:!1,stoppedMs:null}),t.skewMs=h.now_ms-Date.now(),s.restart(h.seq),r("all")},u=h=>{if("run"in h)o.get(h.run)?.hear(h);else if("said"in h)d(h.said);else if(s.accept(h?.seq)){let y=vo(t,l,h);y===null?s.resync():r(y)}},d=h=>{t.asked.delete(h.run_id);let{error:y}=h;y&&(t.said=[...t.said.slice(-2),y],setTimeout(()=>{t.said=t.said.filter(A=>A!==y),r("cells")},fo)),r("cells")},c=async(h,y,A={})=>{if(t.asked.has(y)||t.gone)return;let C={name:h,how:"heard"};t.asked.set(y,C),r("cells");let S=await O(e,h,y,A),x=(k,ae)=>{setTimeout(()=>{t.asked.get(y)===C&&(k(),r("cells"))},ae)};S==="none"&&p(),S==="comm"&&x(()=>C.how="waiting",3e3),x(()=>t.asked.delete(y),bo),r("cells")},p=()=>{t.gone||(t.stoppedMs=re(t),t.gone=!0,r("all"))};i(e.get("table")),e.on("change:table",()=>i(e.get("table"))),e.on("msg:custom",u),lt(e,p);let f=setInterval(()=>document.hidden||t.gone||r("time"),1e3),$=h=>{let y=o.get(h)??xt(e);return o.set(h,y),t.gone||O(e,"open",h),y};return{end:()=>clearInterval(f),render(h){let y=Yt(h,{state:t,openRun:$,command:(C,S,x)=>{c(C,S,x)}}),A=ge(e.get("key"));return n.add(y),y.update("all"),()=>{n.delete(y),y.end(),A()}}}}function ho(e){let t=new Map;return()=>{let n=new Map;for(let{row:o}of e.rows.values()){let s=oe(t.get(o.id),o.status);(s==="waits"||s&&!o.parent&&!o.batch)&&se(o.id,s,o),_(o.status)||n.set(o.id,o.status)}for(let[o,{finished:s}]of e.batches){let a=s?"completed":"running",r=oe(t.get(o),a);r&&se(o,r,{title:`batch ${$o(e,o)}`,status:a}),s||n.set(o,a)}t=n}}function $o(e,t){for(let{row:n}of e.rows.values())if(n.batch===t)return n.title;return""}function Jt(e,t){let n={};for(let o=0;o<e.length;o+=1)n[e[o]]=t[o]??null;return{row:n,hay:null}}function vo(e,t,n){e.skewMs=n.now_ms-Date.now();let{total:o,loaded:s,trouble:a}=n;o!==void 0&&(e.total=o),s!==void 0&&(e.loaded=s),a!==void 0&&(e.trouble=a);let l=Object.entries(n.batches??{}).some(([u,d])=>d.finished&&!e.batches.get(u)?.finished)||!!n.new||a!==void 0||s!==void 0;for(let[u,d]of Object.entries(n.batches??{})){let c=e.batches.get(u);c?Object.assign(c,d):(e.batches.set(u,d),l=!0),d.finished&&e.asked.delete(u)}for(let u of n.new??[])e.rows.set(String(u[0]),Jt(t,u));let i=new Set;for(let u of n.cells??[])if(!yo(e,t,u,i))return null;return l||i.has("status")||i.has("created_ms")?"all":i}function yo(e,t,n,o){let[s,...a]=n,r=e.rows.get(s);if(!r)return!1;r.hay=null;let l=r.row;for(let i=0;i<a.length;i+=2){let u=t[Number(a[i])];u!==void 0&&(l[u]=a[i+1]??null,o.add(u),(u==="status"||u==="asks")&&e.asked.delete(s))}return!0}var wo=()=>{let e=xe(),t=null;return{initialize({model:n}){let o=n;if(n.get("shows")!=="table"){e.initialize(o);return}return t=Xt(o),t.end},render({model:n,el:o}){return t?t.render(o):e.render(n,o)}}},yr=wo;export{yr as default};
/*! Bundled license information:

lit-html/lit-html.js:
lit-html/directive.js:
lit-html/directives/repeat.js:
  (**
   * @license
   * Copyright 2017 Google LLC
   * SPDX-License-Identifier: BSD-3-Clause
   *)

lit-html/directive-helpers.js:
  (**
   * @license
   * Copyright 2020 Google LLC
   * SPDX-License-Identifier: BSD-3-Clause
   *)

lit-html/directives/keyed.js:
  (**
   * @license
   * Copyright 2021 Google LLC
   * SPDX-License-Identifier: BSD-3-Clause
   *)
*/
