var xe=globalThis,Fe=e=>e,ne=xe.trustedTypes,We=ne?ne.createPolicy("lit-html",{createHTML:e=>e}):void 0,Ce="$lit$",S=`lit$${Math.random().toFixed(9).slice(2)}$`,ke="?"+S,zt=`<${ke}>`,P=document,Q=()=>P.createComment(""),Z=e=>e===null||typeof e!="object"&&typeof e!="function",Se=Array.isArray,ze=e=>Se(e)||typeof e?.[Symbol.iterator]=="function",Te=`[ 	
\f\r]`,J=/<(?:(!--|\/[^a-zA-Z])|(\/?[a-zA-Z][^>\s]*)|(\/?$))/g,Ve=/-->/g,Ue=/>/g,D=RegExp(`>|${Te}(?:([^\\s"'>=/]+)(${Te}*=${Te}*(?:[^ 	
\f\r"'\`<>=]|("|')|))|$)`,"g"),je=/'/g,Ge=/"/g,qe=/^(?:script|style|textarea|title)$/i,Re=e=>(t,...n)=>({_$litType$:e,strings:t,values:n}),m=Re(1),oo=Re(2),ro=Re(3),I=Symbol.for("lit-noChange"),b=Symbol.for("lit-nothing"),Ke=new WeakMap,L=P.createTreeWalker(P,129);function Ye(e,t){if(!Se(e)||!e.hasOwnProperty("raw"))throw Error("invalid template strings array");return We!==void 0?We.createHTML(t):t}var Xe=(e,t)=>{let n=e.length-1,o=[],r,a=t===2?"<svg>":t===3?"<math>":"",s=J;for(let l=0;l<n;l++){let i=e[l],d,u,c=-1,p=0;for(;p<i.length&&(s.lastIndex=p,u=s.exec(i),u!==null);)p=s.lastIndex,s===J?u[1]==="!--"?s=Ve:u[1]!==void 0?s=Ue:u[2]!==void 0?(qe.test(u[2])&&(r=RegExp("</"+u[2],"g")),s=D):u[3]!==void 0&&(s=D):s===D?u[0]===">"?(s=r??J,c=-1):u[1]===void 0?c=-2:(c=s.lastIndex-u[2].length,d=u[1],s=u[3]===void 0?D:u[3]==='"'?Ge:je):s===Ge||s===je?s=D:s===Ve||s===Ue?s=J:(s=D,r=void 0);let f=s===D&&e[l+1].startsWith("/>")?" ":"";a+=s===J?i+zt:c>=0?(o.push(d),i.slice(0,c)+Ce+i.slice(c)+S+f):i+S+(c===-2?l:f)}return[Ye(e,a+(e[n]||"<?>")+(t===2?"</svg>":t===3?"</math>":"")),o]},ee=class e{constructor({strings:t,_$litType$:n},o){let r;this.parts=[];let a=0,s=0,l=t.length-1,i=this.parts,[d,u]=Xe(t,n);if(this.el=e.createElement(d,o),L.currentNode=this.el.content,n===2||n===3){let c=this.el.content.firstChild;c.replaceWith(...c.childNodes)}for(;(r=L.nextNode())!==null&&i.length<l;){if(r.nodeType===1){if(r.hasAttributes())for(let c of r.getAttributeNames())if(c.endsWith(Ce)){let p=u[s++],f=r.getAttribute(c).split(S),g=/([.?@])?(.*)/.exec(p);i.push({type:1,index:a,name:g[2],strings:f,ctor:g[1]==="."?re:g[1]==="?"?se:g[1]==="@"?ae:F}),r.removeAttribute(c)}else c.startsWith(S)&&(i.push({type:6,index:a}),r.removeAttribute(c));if(qe.test(r.tagName)){let c=r.textContent.split(S),p=c.length-1;if(p>0){r.textContent=ne?ne.emptyScript:"";for(let f=0;f<p;f++)r.append(c[f],Q()),L.nextNode(),i.push({type:2,index:++a});r.append(c[p],Q())}}}else if(r.nodeType===8)if(r.data===ke)i.push({type:2,index:a});else{let c=-1;for(;(c=r.data.indexOf(S,c+1))!==-1;)i.push({type:7,index:a}),c+=S.length-1}a++}}static createElement(t,n){let o=P.createElement("template");return o.innerHTML=t,o}};function B(e,t,n=e,o){if(t===I)return t;let r=o!==void 0?n._$Co?.[o]:n._$Cl,a=Z(t)?void 0:t._$litDirective$;return r?.constructor!==a&&(r?._$AO?.(!1),a===void 0?r=void 0:(r=new a(e),r._$AT(e,n,o)),o!==void 0?(n._$Co??=[])[o]=r:n._$Cl=r),r!==void 0&&(t=B(e,r._$AS(e,t.values),r,o)),t}var oe=class{constructor(t,n){this._$AV=[],this._$AN=void 0,this._$AD=t,this._$AM=n}get parentNode(){return this._$AM.parentNode}get _$AU(){return this._$AM._$AU}u(t){let{el:{content:n},parts:o}=this._$AD,r=(t?.creationScope??P).importNode(n,!0);L.currentNode=r;let a=L.nextNode(),s=0,l=0,i=o[0];for(;i!==void 0;){if(s===i.index){let d;i.type===2?d=new G(a,a.nextSibling,this,t):i.type===1?d=new i.ctor(a,i.name,i.strings,this,t):i.type===6&&(d=new ie(a,this,t)),this._$AV.push(d),i=o[++l]}s!==i?.index&&(a=L.nextNode(),s++)}return L.currentNode=P,r}p(t){let n=0;for(let o of this._$AV)o!==void 0&&(o.strings!==void 0?(o._$AI(t,o,n),n+=o.strings.length-2):o._$AI(t[n])),n++}},G=class e{get _$AU(){return this._$AM?._$AU??this._$Cv}constructor(t,n,o,r){this.type=2,this._$AH=b,this._$AN=void 0,this._$AA=t,this._$AB=n,this._$AM=o,this.options=r,this._$Cv=r?.isConnected??!0}get parentNode(){let t=this._$AA.parentNode,n=this._$AM;return n!==void 0&&t?.nodeType===11&&(t=n.parentNode),t}get startNode(){return this._$AA}get endNode(){return this._$AB}_$AI(t,n=this){t=B(this,t,n),Z(t)?t===b||t==null||t===""?(this._$AH!==b&&this._$AR(),this._$AH=b):t!==this._$AH&&t!==I&&this._(t):t._$litType$!==void 0?this.$(t):t.nodeType!==void 0?this.T(t):ze(t)?this.k(t):this._(t)}O(t){return this._$AA.parentNode.insertBefore(t,this._$AB)}T(t){this._$AH!==t&&(this._$AR(),this._$AH=this.O(t))}_(t){this._$AH!==b&&Z(this._$AH)?this._$AA.nextSibling.data=t:this.T(P.createTextNode(t)),this._$AH=t}$(t){let{values:n,_$litType$:o}=t,r=typeof o=="number"?this._$AC(t):(o.el===void 0&&(o.el=ee.createElement(Ye(o.h,o.h[0]),this.options)),o);if(this._$AH?._$AD===r)this._$AH.p(n);else{let a=new oe(r,this),s=a.u(this.options);a.p(n),this.T(s),this._$AH=a}}_$AC(t){let n=Ke.get(t.strings);return n===void 0&&Ke.set(t.strings,n=new ee(t)),n}k(t){Se(this._$AH)||(this._$AH=[],this._$AR());let n=this._$AH,o,r=0;for(let a of t)r===n.length?n.push(o=new e(this.O(Q()),this.O(Q()),this,this.options)):o=n[r],o._$AI(a),r++;r<n.length&&(this._$AR(o&&o._$AB.nextSibling,r),n.length=r)}_$AR(t=this._$AA.nextSibling,n){for(this._$AP?.(!1,!0,n);t!==this._$AB;){let o=Fe(t).nextSibling;Fe(t).remove(),t=o}}setConnected(t){this._$AM===void 0&&(this._$Cv=t,this._$AP?.(t))}},F=class{get tagName(){return this.element.tagName}get _$AU(){return this._$AM._$AU}constructor(t,n,o,r,a){this.type=1,this._$AH=b,this._$AN=void 0,this.element=t,this.name=n,this._$AM=r,this.options=a,o.length>2||o[0]!==""||o[1]!==""?(this._$AH=Array(o.length-1).fill(new String),this.strings=o):this._$AH=b}_$AI(t,n=this,o,r){let a=this.strings,s=!1;if(a===void 0)t=B(this,t,n,0),s=!Z(t)||t!==this._$AH&&t!==I,s&&(this._$AH=t);else{let l=t,i,d;for(t=a[0],i=0;i<a.length-1;i++)d=B(this,l[o+i],n,i),d===I&&(d=this._$AH[i]),s||=!Z(d)||d!==this._$AH[i],d===b?t=b:t!==b&&(t+=(d??"")+a[i+1]),this._$AH[i]=d}s&&!r&&this.j(t)}j(t){t===b?this.element.removeAttribute(this.name):this.element.setAttribute(this.name,t??"")}},re=class extends F{constructor(){super(...arguments),this.type=3}j(t){this.element[this.name]=t===b?void 0:t}},se=class extends F{constructor(){super(...arguments),this.type=4}j(t){this.element.toggleAttribute(this.name,!!t&&t!==b)}},ae=class extends F{constructor(t,n,o,r,a){super(t,n,o,r,a),this.type=5}_$AI(t,n=this){if((t=B(this,t,n,0)??b)===I)return;let o=this._$AH,r=t===b&&o!==b||t.capture!==o.capture||t.once!==o.once||t.passive!==o.passive,a=t!==b&&(o===b||r);r&&this.element.removeEventListener(this.name,this,o),a&&this.element.addEventListener(this.name,this,t),this._$AH=t}handleEvent(t){typeof this._$AH=="function"?this._$AH.call(this.options?.host??this.element,t):this._$AH.handleEvent(t)}},ie=class{constructor(t,n,o){this.element=t,this.type=6,this._$AN=void 0,this._$AM=n,this.options=o}get _$AU(){return this._$AM._$AU}_$AI(t){B(this,t)}},Je={M:Ce,P:S,A:ke,C:1,L:Xe,R:oe,D:ze,V:B,I:G,H:F,N:se,U:ae,B:re,F:ie},qt=xe.litHtmlPolyfillSupport;qt?.(ee,G),(xe.litHtmlVersions??=[]).push("3.3.3");var k=(e,t,n)=>{let o=n?.renderBefore??t,r=o._$litPart$;if(r===void 0){let a=n?.renderBefore??null;o._$litPart$=r=new G(t.insertBefore(Q(),a),a,void 0,n??{})}return r._$AI(e),r};var Yt=1500;function E(e,t="",n="Copy"){return m`<button
    type="button"
    class="nbagent-button nbagent-copy"
    aria-label=${t||b}
    .textContent=${n}
    @click=${r=>{Xt(r.currentTarget,e,n)}}
  ></button>`}async function Xt(e,t,n="Copy"){let o=!0;try{await navigator.clipboard.writeText(t)}catch{o=!1}e.textContent=o?"Copied":"Select it",setTimeout(()=>{e.textContent=n},Yt)}var Qe=new WeakSet;function le(e){Qe.has(e)||(Qe.add(e),new ResizeObserver(()=>le(e)).observe(e)),e.scrollHeight>e.clientHeight+1||e.scrollWidth>e.clientWidth+1?e.tabIndex=0:e.removeAttribute("tabindex")}function ce(e){let t=document.createElement("style");return/^[\w-]+$/.test(e??"")&&(t.textContent=`.${e}, .jp-OutputArea-child:has(.${e}) { display: none !important; }`),document.head.append(t),()=>t.remove()}async function O(e,t,n,o={}){let r=globalThis.crypto?.randomUUID?.()??`${Date.now()}-${Math.random()}`,a={...o,command:t,run_id:n,command_id:r};if(await Jt(e,a))return"control";try{return e.send(a),"comm"}catch{return"none"}}async function Ze(e){return(await e.widget_manager)?.kernel}async function Jt(e,t){try{let n=await Ze(e);if(typeof n?.sendControlMessage!="function")return!1;let r={channel:"control",header:{msg_id:t.command_id,msg_type:"nbagent_request",session:n.clientId??"",username:n.username??"",date:new Date().toISOString(),version:"5.3"},parent_header:{},metadata:{},content:t,buffers:[]},a=n.sendControlMessage(r,!0,!0);a.done?.catch?.(()=>{});let s=new Promise(i=>{a.onReply=d=>i(d.content?.status==="ok"&&d.content.heard===!0)}),l=new Promise(i=>setTimeout(i,1500,!1));return await Promise.race([s,l])}catch{return!1}}async function et(e,t){e.on("comm_live_update",t);try{let n=await Ze(e),o=new Set(["restarting","autorestarting","terminating","dead"]);n?.statusChanged?.connect((r,a)=>{o.has(a)&&t()}),n?.disposed?.connect(t)}catch{}}var W=class{constructor(t,n=()=>performance.now()){this.askWhole=t;this.now=n}askWhole;now;#e=-1;#t=-1/0;get seq(){return this.#e}restart(t){this.#e=t}accept(t){return typeof t!="number"||t<=this.#e?!1:t!==this.#e+1?(this.resync(),!1):(this.#e=t,!0)}resync(){this.now()-this.#t<1e3||(this.#t=this.now(),this.askWhole())}};var Qt=new Intl.NumberFormat("en-US"),Zt=new Intl.NumberFormat("en-US",{notation:"compact",maximumFractionDigits:1}),y=e=>Qt.format(e),de=e=>Zt.format(e),tt=(e,t)=>`${y(e)} ${t}${e===1?"":"s"}`;function V(e){let t=Math.max(0,Math.floor(e/1e3));if(t<60)return`${t} s`;let n=Math.floor(t/60)%60,o=Math.floor(t/3600),r=a=>String(a).padStart(2,"0");return o?`${o} h ${r(n)} min`:`${n} min ${r(t%60)} s`}var nt=e=>e<1e4?`${(Math.max(0,e)/1e3).toFixed(1)} s`:V(e);function ot(e,t){let n=new Date(e);if(n.toDateString()===new Date(t).toDateString())return n.toLocaleTimeString("en-GB");let o=n.getFullYear()===new Date(t).getFullYear(),r={day:"numeric",month:"short"};return n.toLocaleDateString("en-GB",o?r:{...r,year:"numeric"})}function ue(e){return e===0?"$0":e>=.1?`$${e.toLocaleString("en-US",{minimumFractionDigits:2,maximumFractionDigits:2})}`:`$${Number(e.toPrecision(2))}`}var rt=e=>e>=1?`${de(e)}/s`:`${de(60*e)}/min`;var st={ATTRIBUTE:1,CHILD:2,PROPERTY:3,BOOLEAN_ATTRIBUTE:4,EVENT:5,ELEMENT:6},pe=e=>(...t)=>({_$litDirective$:e,values:t}),K=class{constructor(t){}get _$AU(){return this._$AM._$AU}_$AT(t,n,o){this._$Ct=t,this._$AM=n,this._$Ci=o}_$AS(t,n){return this.update(t,n)}update(t,n){return this.render(...n)}};var{I:en}=Je,at=e=>e;var it=()=>document.createComment(""),z=(e,t,n)=>{let o=e._$AA.parentNode,r=t===void 0?e._$AB:t._$AA;if(n===void 0){let a=o.insertBefore(it(),r),s=o.insertBefore(it(),r);n=new en(a,s,e,e.options)}else{let a=n._$AB.nextSibling,s=n._$AM,l=s!==e;if(l){let i;n._$AQ?.(e),n._$AM=e,n._$AP!==void 0&&(i=e._$AU)!==s._$AU&&n._$AP(i)}if(a!==r||l){let i=n._$AA;for(;i!==a;){let d=at(i).nextSibling;at(o).insertBefore(i,r),i=d}}}return n},N=(e,t,n=e)=>(e._$AI(t,n),e),tn={},me=(e,t=tn)=>e._$AH=t,lt=e=>e._$AH,ge=e=>{e._$AR(),e._$AA.remove()};var ct=(e,t,n)=>{let o=new Map;for(let r=t;r<=n;r++)o.set(e[r],r);return o},dt=pe(class extends K{constructor(e){if(super(e),e.type!==st.CHILD)throw Error("repeat() can only be used in text expressions")}dt(e,t,n){let o;n===void 0?n=t:t!==void 0&&(o=t);let r=[],a=[],s=0;for(let l of e)r[s]=o?o(l,s):s,a[s]=n(l,s),s++;return{values:a,keys:r}}render(e,t,n){return this.dt(e,t,n).values}update(e,[t,n,o]){let r=lt(e),{values:a,keys:s}=this.dt(t,n,o);if(!Array.isArray(r))return this.ut=s,a;let l=this.ut??=[],i=[],d,u,c=0,p=r.length-1,f=0,g=a.length-1;for(;c<=p&&f<=g;)if(r[c]===null)c++;else if(r[p]===null)p--;else if(l[c]===s[f])i[f]=N(r[c],a[f]),c++,f++;else if(l[p]===s[g])i[g]=N(r[p],a[g]),p--,g--;else if(l[c]===s[g])i[g]=N(r[c],a[g]),z(e,i[g+1],r[c]),c++,g--;else if(l[p]===s[f])i[f]=N(r[p],a[f]),z(e,r[c],r[p]),p--,f++;else if(d===void 0&&(d=ct(s,f,g),u=ct(l,c,p)),d.has(l[c]))if(d.has(l[p])){let $=u.get(s[f]),_=$!==void 0?r[$]:null;if(_===null){let A=z(e,r[c]);N(A,a[f]),i[f]=A}else i[f]=N(_,a[f]),z(e,r[c],_),r[$]=null;f++}else ge(r[p]),p--;else ge(r[c]),c++;for(;f<=g;){let $=z(e,i[g+1]);N($,a[f]),i[f++]=$}for(;c<=p;){let $=r[c++];$!==null&&ge($)}return this.ut=s,me(e,i),I}});var ut={approve:"Approve",deny:"Deny"},nn={approve:"approving…",deny:"denying…",gone:"kernel is gone"};function pt(e,t,n){return m`<div class="nbagent-approvals" ?hidden=${!e.length}>
    ${dt(e,fe,o=>{let r=t.get(fe(o)),a=s=>m`<button
          type="button"
          class=${`nbagent-button nbagent-${s}`}
          aria-label=${`${ut[s]} ${o.by?`for ${o.by}: `:""}${o.call}`}
          aria-disabled=${r!==void 0}
          @click=${()=>n(o,s)}
        >${ut[s]}</button>`;return m`<div class="nbagent-approval">
        <div class="nbagent-asking">
          <span class="nbagent-by" ?hidden=${!o.by}>${o.by}</span><code class="nbagent-asked">${o.call}</code>
        </div>
        <div class="nbagent-choice">
          ${a("approve")}${a("deny")}<span class="nbagent-said">${r?nn[r]:""}</span>
        </div>
      </div>`})}
  </div>`}var mt=pe(class extends K{constructor(){super(...arguments),this.key=b}render(e,t){return this.key=e,t}update(e,[t,n]){return t!==this.key&&(me(e),this.key=t),n}});var on=[["table","Table"],["tree","Tree"]],rn=3,sn=20;function gt(e,t,n){let o=t??e.form;return m`<div class="nbagent-structured" ?hidden=${!e.form}>
    <div class="nbagent-forms" role="group" aria-label="show the answer as" ?hidden=${!e.table||!e.tree}>
      ${on.map(([r,a])=>m`<button type="button" class="nbagent-group" aria-pressed=${r===o} @click=${()=>n(r)}>${a}</button>`)}
    </div>
    <div class="nbagent-form" role="region" aria-label="structured answer">
      ${o==="tree"&&e.tree?ft(e.tree.kids??[],1):e.table?an(e.table):b}
    </div>
    <p class="nbagent-more" ?hidden=${o==="tree"||!e.more}>${e.more}</p>
  </div>`}function an({columns:e,numeric:t,cells:n}){let o=r=>t[r]?"nbagent-number":"";return m`<table>
    <thead>
      <tr>${e.map((r,a)=>m`<th scope="col" class=${o(a)}>${r}</th>`)}</tr>
    </thead>
    <tbody>
      ${n.map(r=>m`<tr>${r.map((a,s)=>m`<td class=${o(s)}>${a}</td>`)}</tr>`)}
    </tbody>
  </table>`}function ft(e,t){return m`<ul class="nbagent-tree">
    ${e.map(({name:n,kind:o,text:r,note:a,kids:s})=>{if(!s){let i=n?m`<span class="nbagent-key">${n}</span>`:b;return m`<li class="nbagent-leaf-line">${i}<span class="nbagent-leaf" data-kind=${o}>${r}</span></li>`}let l=t<rn&&s.length<=sn;return mt(`${n} ${s.length}`,m`<li>
          <details ?open=${l}>
            <summary><span class="nbagent-key">${n}</span><span class="nbagent-note">${a}</span></summary>
            ${ft(s,t+1)}
          </details>
        </li>`)})}
  </ul>`}var ln=32,cn={ready:"Cancel",heard:"cancelling…",waiting:"waits for the kernel",gone:"kernel is gone"};function bt(e,t,n){let o=document.createTextNode(""),r=document.createElement("div");r.className="nbagent-answer",r.setAttribute("role","region"),r.setAttribute("aria-label","answer"),r.append(o);let a=null,s=null;e.classList.add("nbagent");let l=c=>{a=c,s=null,i()},i=()=>{let c=e.querySelector(".nbagent-card"),p=c?.contains(document.activeElement)?document.activeElement:null;if(k(dn(t,r,a,n,l),e),p&&(!p.isConnected||p.hidden)&&c?.focus({preventScroll:!0}),s!==t.row){s=t.row;for(let g of e.querySelectorAll(".nbagent-prose, .nbagent-form"))le(g)}},d=c=>{let p=r.scrollHeight-r.scrollTop-r.clientHeight<ln;c===null||o.length+c.length!==t.text.length?o.data=t.text:c&&o.appendData(c),r.hidden=!t.text||!!t.row.html,p&&!t.row.final&&(r.scrollTop=r.scrollHeight),le(r)},u=setInterval(()=>t.row.final||i(),1e3);return{update(c){i(),d(c)},end:()=>clearInterval(u)}}function dn(e,t,n,o,r){let{row:a}=e;return m`<section class="nbagent-card" tabindex="-1" data-status=${a.status} aria-label=${`run ${a.title}`}>
    ${un(e,o)}
    <p class="nbagent-banner" ?hidden=${!a.banner}>${a.banner}</p>
    <div class="nbagent-body">
      ${pn(a.members)}
      <p class="nbagent-waiting" ?hidden=${!a.waiting}>${a.waiting}</p>
      ${pt(a.approvals,e.decided,o.decide)} ${gt(a,n,r)}
      <div
        class="nbagent-prose"
        role="region"
        aria-label="answer"
        ?hidden=${!a.html}
        .innerHTML=${a.html??""}
      ></div>
      ${a.form?b:t}
      <details class="nbagent-raw" ?hidden=${!a.form}>
        <summary>raw answer</summary>
        ${a.form?t:b}
      </details>
      ${mn(a)}
      <div class="nbagent-error" ?hidden=${!a.error.some(Boolean)}>
        ${a.error.filter(Boolean).map((s,l)=>m`<p class=${l?"nbagent-todo":"nbagent-what"}>${s}</p>`)}
      </div>
    </div>
    ${gn(a)}
  </section>`}function un({row:e,cancel:t,beganAt:n},o){let r=e.began_ms===null?"":V(performance.now()-n),a=cn[t];return m`<header class="nbagent-head">
    <span class="nbagent-status" role="status" aria-live="polite"
      ><span class="nbagent-chip">${e.reason?`${e.status}: ${e.reason}`:e.status}</span></span
    >
    <div class="nbagent-names">
      <span class="nbagent-title">${e.title}</span
      ><span class="nbagent-origin">${[e.agent,e.model].filter(Boolean).join(" · ")}</span>
    </div>
    <span class="nbagent-elapsed">${e.final?e.took:r}</span>
    <button
      type="button"
      class="nbagent-button nbagent-cancel"
      ?hidden=${e.final}
      aria-disabled=${t!=="ready"}
      aria-label=${t==="ready"?`Cancel ${e.title}`:a}
      @click=${o.cancel}
    >${a}</button>
  </header>`}function pn(e){return m`<ul class="nbagent-members" aria-label="members" ?hidden=${!e.length}>
    ${e.map(t=>m`<li class="nbagent-member" data-status=${t.status} style=${`padding-inline-start: ${(t.depth-1)*1.5}em`}>
          <span class="nbagent-name">${t.name}</span><span class="nbagent-state">${t.status}</span
          ><span class="nbagent-value">${t.tokens}</span>
        </li>`)}
  </ul>`}function mn(e){let t=[...e.calls.map(n=>["call",n]),...e.called?[["called",e.called]]:[],...e.retry?[["retry",e.retry]]:[],...e.notices.map(n=>["notice",n])];return m`<div class="nbagent-activity" ?hidden=${!t.length}>
    ${t.map(([n,o])=>m`<p class=${`nbagent-${n}`}>${o}</p>`)}
  </div>`}function gn(e){return m`<footer class="nbagent-foot">
    <div class="nbagent-facts" ?hidden=${!e.facts.length}>
      ${e.facts.map(([t,n])=>m`<span class="nbagent-fact" title=${n==="?"?"the provider did not say":b}
            ><span class="nbagent-name">${t} </span><span class="nbagent-value">${n}</span></span
          >`)}
    </div>
    <div class="nbagent-access">
      <code class="nbagent-code">${e.code}</code>${E(e.code,`Copy ${e.code}`)}
    </div>
  </footer>`}var fe=e=>`${e.run_id} ${e.step} ${e.tool_call_id}`,fn={run_id:"",title:"",agent:"",model:"",banner:"",status:"pending",reason:"",final:!1,began_ms:null,waiting:"",approvals:[],calls:[],called:"",members:[],retry:"",notices:[],error:[],table:null,tree:null,more:"",form:"",html:null,took:"",facts:[],code:""};function be(){let e={row:fn,text:"",beganAt:0,cancel:"ready",decided:new Map},t=new Set,n=new W(()=>{}),o=d=>t.forEach(u=>u.update(d)),r=d=>{e.beganAt=performance.now()-Math.max(0,d-(e.row.began_ms??d))},a=d=>{d?.row&&(n.restart(d.seq),Object.assign(e,{row:d.row,text:d.text}),e.decided.clear(),r(d.now_ms),o(null))},s=d=>{n.accept(d?.seq)&&(d.row&&(e.row=d.row,r(d.now_ms)),e.text+=d.append,o(d.append))},l=async d=>{if(e.cancel!=="ready"||e.row.final)return;e.cancel="heard",o("");let u=await O(d,"cancel",e.row.run_id);u==="none"?e.cancel="gone":u==="comm"&&setTimeout(()=>{e.cancel==="heard"&&(e.cancel="waiting"),o("")},3e3),o("")},i=async(d,u,c)=>{let p=fe(u);if(e.decided.has(p)||e.row.final)return;e.decided.set(p,c),o("");let f={tool_call_id:u.tool_call_id,step:u.step,card:e.row.run_id};await O(d,c,u.run_id,f)==="none"&&e.decided.set(p,"gone"),o("")};return{initialize(d){n=new W(()=>{O(d,"resend",e.row.run_id)}),a(d.get("card")),d.on("change:card",()=>a(d.get("card"))),d.on("msg:custom",s)},render(d,u){let c=bt(u,e,{cancel:()=>{l(d)},decide:(f,g)=>{i(d,f,g)}}),p=ce(d.get("key"));return t.add(c),c.update(null),()=>{t.delete(c),c.end(),p()}}}}function ht(e){let t=new Map,n=(l,i)=>(t.get(l)??[]).forEach(d=>d(i)),o=new Set,r=be(),a={get:l=>({card:s.card,key:""})[l],on:(l,i)=>{t.set(l,[...t.get(l)??[],i])},send:l=>e.send(l),get widget_manager(){return e.widget_manager}},s={card:null,details:null,hear(l){if("card"in l){let i=s.card===null;s.card=l.card,i?r.initialize(a):n("change:card")}else"details"in l?s.details=l.details:n("msg:custom",l);o.forEach(i=>i())},follow(l){return o.add(l),()=>{o.delete(l)}},renderCard:l=>r.render(a,l)};return s}var bn=new Set(["completed","error","cancelled","timeout","interrupted","incomplete"]),hn=new Set(["error","timeout","interrupted"]),x=e=>bn.has(e),he=e=>hn.has(e);var $n=60*1e3,$t=(e,t,n="",o)=>({key:e,line:t,batchId:n,kids:t?null:[],sums:null,told:o,unfolded:!1});function $e(e,t){let n=new Map;for(let[a,s]of e)n.set(a,$t(a,s));let o=[],r=new Map;for(let a of n.values()){let s=a.line.row,l=s.parent===null?void 0:n.get(s.parent);if(l&&l!==a)(l.kids??=[]).push(a);else if(s.batch){let i=r.get(s.batch);i||(i=$t(`batch ${s.batch}`,null,s.batch,t.get(s.batch)),r.set(s.batch,i),o.push(i)),i.kids?.push(a)}else o.push(a)}return o}var yt=e=>({status:e.status,title:e.title,model:e.model,created:e.created_ms,began:e.began_ms,ended:e.ended_ms,tokens:e.tokens,cost:e.cost,priced:e.priced,of:0,open:0,failed:0,cancelled:0,ends:[],rate:null,endless:!1});function R(e){return e.line&&!e.kids?yt(e.line.row):e.sums??=vn(e)}function vn(e){let t=(e.kids??[]).map(R),n=e.line?yt(e.line.row):null,o=n?[n,...t]:t,r=c=>o.map(p=>p[c]).filter(p=>p!==null),a=c=>{let p=r(c);return p.length?p.reduce((f,g)=>f+g,0):null},s=t.filter(c=>c.status==="cancelled").length,l=e.told?wn(e.told,s):null,i=l?l.open:t.filter(c=>!x(c.status)).length,d=o.map(c=>c.priced).filter(c=>c!==null),u=r("ended");return{status:n?n.status:yn(t,i,!!l?.cancelled),title:n?.title??t[0]?.title??"batch",model:n?.model??t[0]?.model??"",created:n?n.created:vt(r("created")),began:n?n.began:vt(r("began")),ended:n?n.ended:i?null:An(u),tokens:a("tokens"),cost:a("cost"),priced:d.length?d.every(Boolean):null,of:t.length,open:i,failed:t.filter(c=>he(c.status)).length,cancelled:s,ends:u,rate:null,endless:!1,...l}}function yn(e,t,n){if(t)return"running";let o=new Set(e.map(r=>r.status));return n&&o.add("cancelled"),o.size===1?e[0]?.status??"incomplete":"incomplete"}function wn({total:e,done:t,failed:n,not_asked:o,rate:r,finished:a},s){let l=t+n+o,i=a?0:Math.max(1,(e??l+1)-l),d=a?Math.min(n,s):0;return{of:l+i,open:i,failed:n-d,cancelled:d+o,rate:r,endless:e===null}}function _n({began:e,ended:t,ends:n,of:o,rate:r},a){if(r!==null)return r;if(e===null||!n.length)return 0;if(t!==null)return t>e?1e3*o/(t-e):0;let s=Math.max(e,a-$n),l=n.reduce((i,d)=>i+ +(d>=s),0);return a-s<1e3?0:1e3*l/(a-s)}function wt(e,t){let n=e.of-e.open,o=_n(e,t),r=e.open>0&&!e.endless;return[e.endless?y(n):e.open?`${y(n)} of ${y(e.of)}`:`all ${y(e.of)} ended`,e.failed?`${y(e.failed)} failed`:"",e.cancelled?`${y(e.cancelled)} cancelled`:"",r?`${y(e.open)} left`:"",o?rt(o):"",o&&r?`${V(1e3*e.open/o)} to go`:""].filter(Boolean)}function Ee(e){for(let t of e)t.kids&&(t.sums=null,Ee(t.kids))}var vt=e=>e.length?e.reduce((t,n)=>n<t?n:t):null,An=e=>e.length?e.reduce((t,n)=>n>t?n:t):null;var _t={command:null,word:""},Tn=new Set(["error","timeout","interrupted"]),xn={cancel:"cancelling…",cancel_batch:"cancelling…",retry:"retrying…",retry_batch:"retrying…",resume:"resuming…"},Oe=e=>e.line?e.key:e.batchId,ve=e=>e==="cancel"||e==="cancel_batch";function U(e,t){if(t.gone)return _t;let n=t.asked.get(Oe(e));if(n)return{command:null,word:n.how==="waiting"?"waiting…":xn[n.name]??"…"};let{status:o}=R(e);return x(o)?e.told?.failed?{command:"retry_batch",word:"Retry"}:!e.line||e.line.row.parent?_t:Tn.has(o)?{command:"resume",word:"Resume"}:{command:"retry",word:"Retry"}:{command:e.line?"cancel":"cancel_batch",word:"Cancel"}}function At(e){let{steps:t,tools:n,messages:o}=e,r=e.left?m`<p class="nbagent-more">${y(e.left)} earlier messages are in the store</p>`:b;return[t.rows.length?q("Steps",t.rows.length,!0,Cn(t.span_ms,t.rows)):b,n.length?q("Tool calls",n.length,!0,n.map(kn)):b,e.traceback?q("Traceback",0,!1,ye(e.traceback)):b,o.length?q("Messages",o.length+e.left,!1,[r,o.map(Sn)]):e.prompt?q("Prompt",0,!1,ye(e.prompt)):b,q("About",0,!1,[Rn(e.about),Mn(e.code)])]}function q(e,t,n,o){let r=t?m`<span class="nbagent-count"> ${y(t)}</span>`:b;return m`<details class="nbagent-section" data-name=${e} ?open=${n}>
    <summary>${e}${r}</summary>
    <div class="nbagent-section-body">${o}</div>
  </details>`}function Cn(e,t){return m`<ol class="nbagent-steps">
    ${t.map(n=>{let o=`left: ${100*n.at_ms/e}%; width: ${Math.max(.6,100*n.ms/e)}%`,r=n.status==="completed"?"":`${n.status} · `;return m`<li class="nbagent-step" data-kind=${n.kind} data-status=${n.status}>
        <span class="nbagent-step-name">${`${n.step}  ${n.name}`}</span>
        <div class="nbagent-track" aria-hidden="true"><div class="nbagent-bar" style=${o}></div></div>
        <span class="nbagent-step-note">${r+n.note}</span>
      </li>`})}
  </ol>`}function kn(e){let t=e.status==="completed"?"":` · ${e.status}`,n=(o,r)=>r?m`<p class="nbagent-label">${o}</p>${ye(r)}`:b;return m`<details class="nbagent-tool">
    <summary><code class="nbagent-tool-call">${e.call}</code><span class="nbagent-tool-note">${e.took}${t}</span></summary>
    ${n("Arguments",e.arguments||"{}")}${n("Error",e.error)}${n("Result",e.result)}
  </details>`}function Sn(e){return m`<div class="nbagent-message">
    <p class="nbagent-label">${[e.role,e.name].filter(Boolean).join(" · ")}</p>
    ${e.text?ye(e.text):b}
    ${e.calls.map(t=>m`<p class="nbagent-call">calls ${t}</p>`)}
    ${e.files.map(t=>m`<p class="nbagent-more">${t}</p>`)}
  </div>`}function ye(e){return m`<div class="nbagent-block">
    <pre class="nbagent-block-text" tabindex="0">${e}</pre>
    ${E(e)}
  </div>`}function Rn(e){return m`<dl class="nbagent-pairs">${e.map(([t,n])=>m`<dt>${t}</dt><dd>${n}</dd>`)}</dl>`}function Mn(e){return m`<p class="nbagent-access">
    <code class="nbagent-code">${e}</code>${E(e,`Copy ${e} from the list`)}
  </p>`}function Tt(e,t,n){let{run:o,close:r}=n,a=document.createElement("article");a.className="nbagent-opened",a.setAttribute("aria-label","opened run"),a.addEventListener("keydown",u=>{u.key==="Escape"&&r()});let s=document.createElement("div");s.className="nbagent-opened-card";let l=null;e.append(a);let i=()=>{k(En(t,s,n),a),o.card&&!l&&(l=o.renderCard(s))},d=o.follow(i);return i(),requestAnimationFrame(()=>a.scrollIntoView({block:"nearest",behavior:"auto"})),{update:i,end(){d(),l?.(),a.remove()}}}function En(e,t,{state:n,run:o,command:r,close:a}){let s=n.rows.get(e),[l]=s?$e(new Map([[e,s]]),new Map):[],{command:i,word:d}=l?.line?U(l,n):{command:null,word:""},u=d&&!ve(i)&&d!=="cancelling…",c=n.gone?"It cannot be opened: the kernel is gone.":"Opening…";return m`<div class="nbagent-opened-bar">
      <p class="nbagent-opened-id">${s?s.row.prompt||s.row.title:e}</p>
      <button
        type="button"
        class="nbagent-button nbagent-again"
        ?hidden=${!u}
        aria-disabled=${!i}
        @click=${()=>i&&r(i,e)}
      >${d}</button>
      ${On(o.details)}
      <button type="button" class="nbagent-button nbagent-shut" @click=${a}>Close</button>
    </div>
    <p class="nbagent-waiting" ?hidden=${o.card!==null}>${c}</p>
    ${t}
    <div class="nbagent-sections">${o.details?At(o.details):b}</div>`}function On(e){if(!e)return b;let t=e.answer?E(e.answer,"","Copy answer"):b;return m`${t}${E(e.code,`Copy ${e.code}`,"Copy code")}`}var Ct={status:e=>e.status,title:e=>e.title.toLowerCase(),model:e=>e.model.toLowerCase(),tokens:e=>e.tokens,cost:e=>e.cost,time:(e,t)=>e.began===null?null:(e.ended??t)-e.began,created:e=>e.created},kt=e=>e in Ct;function St(e){if(e.hay===null){let{title:t,agent:n,model:o,session:r,id:a,prompt:s,says:l,error:i,batch:d}=e.row;e.hay=[t,n,o,r??"",a,s,l,i,d??""].join(`
`).toLowerCase()}return e.hay}var xt=e=>e==="running"||e==="paused"?0:e==="pending"?1:2;function Nn(e,t,n){if(!t&&e.line&&!e.kids){let{status:a,created_ms:s}=e.line.row;return{node:e,value:null,first:xt(a),created:s??0}}let o=R(e),r=t?Ct[t.by](o,n):null;return{node:e,value:r,first:xt(o.status),created:o.created??0}}function Hn(e,t,n){let o=e.map(a=>Nn(a,t,n)),r=(a,s)=>s.created-a.created||(a.node.key<s.node.key?1:-1);return o.sort((a,s)=>t?a.value===null||s.value===null?+(a.value===null)-+(s.value===null)||r(a,s):a.value===s.value?r(a,s):(a.value<s.value?-1:1)*(t.down?-1:1):a.first-s.first||r(a,s)),o.map(a=>a.node)}var Rt={self:!0,kids:new Map};function Mt(e,t){let n=e.line?t.test(e.line):!1;if(!e.kids)return n?Rt:null;let o=Et(e.kids,t);return n||o.size?{self:n,kids:o}:null}function Et(e,t){let n=new Map;for(let o of e){let r=Mt(o,t);r&&n.set(o,r)}return n}function Ot(e,t,n,o,r){let a=[],s=(l,i,d)=>{for(let u of Hn([...l.keys()],d,r)){let c=l.get(u);if(a.push({node:u,depth:i}),u.unfolded=o.get(u.key)??(t.narrow&&!c.self&&c.kids.size>0),!u.unfolded||!u.kids)continue;let f=c.self&&u.line?new Map(u.kids.map(g=>[g,Mt(g,t)??Rt])):c.kids;s(f,i+1,d??(u.line?{by:"created",down:!1}:null))}};return s(Et(e,t),0,n),a}var we=[["all","All",()=>!0],["running","Running",e=>!x(e)],["completed","Completed",e=>e==="completed"],["failed","Failed",he],["cancelled","Cancelled",e=>e==="cancelled"]],_e=["agent","model","session"],Ne={text:"",group:"all",agent:"",model:"",session:""};function He(e){let t=e.text.toLowerCase().split(/\s+/).filter(Boolean),n=we.find(([o])=>o===e.group)?.[2]??(()=>!0);return{narrow:!!(t.length||e.agent||e.model||e.session||e.group!=="all"),test(o){let{row:r}=o;if(!n(r.status))return!1;for(let a of _e)if(e[a]&&r[a]!==e[a])return!1;return!t.length||t.every(a=>St(o).includes(a))}}}function Nt(e,t){let n={runs:0,running:0,tokens:null,cost:null,priced:0,called:0,counts:{all:0,running:0,completed:0,failed:0,cancelled:0}};for(let o of e){let{row:r}=o;for(let[a,,s]of we)s(r.status)&&(n.counts[a]+=1);t.test(o)&&(n.runs+=1,x(r.status)||(n.running+=1),r.tokens!==null&&(n.tokens=(n.tokens??0)+r.tokens),r.priced!==null&&(n.called+=1),r.cost!==null&&(n.cost=(n.cost??0)+r.cost,n.priced+=1))}return n}var Dn=200;function Ht(e,t,n){let o=new Map;for(let{row:s}of e){let l=s[t];l&&o.set(l,(o.get(l)??0)+1)}let a=[...o].filter(([,s])=>t!=="session"||s>1).slice(0,Dn).map(([s])=>s).sort();return n&&!a.includes(n)&&a.push(n),a}var Ln=["This panel’s kernel is gone; what it showed last is below.","Run the cell again for a live one."];function Dt(e,t,n){let o=document.createElement("div");o.className="nbagent-bars";let r=null,a=!1,s={agent:[],model:[],session:[]};return{el:o,sum(i){r=Nt(e.rows.values(),i),a=i.narrow},choose(){s={agent:[],model:[],session:[]};for(let i of _e)s[i]=Ht(e.rows.values(),i,t[i])},draw:()=>{let i=r?.counts.running??0;k(m`${Pn(e,r,a,i,n)}${Bn(e)}${Fn(e,t,r,s,n)}`,o),o.parentElement?.toggleAttribute("data-gone",e.gone)}}}function Pn(e,t,n,o,r){let a=e.asked.has(""),s=o>0&&!e.gone&&e.only===null,l=a?"cancelling…":o>1?`Cancel all ${y(o)}`:"Cancel it";return m`<div class="nbagent-panel-head">
    <p class="nbagent-totals" role="status">${t?In(e,t,n):"nbagent"}</p>
    <button
      type="button"
      class="nbagent-button nbagent-cancel-all"
      ?hidden=${!s}
      aria-disabled=${a}
      @click=${()=>r.command("cancel_all","")}
    >${l}</button>
  </div>`}function In(e,t,n){if(!e.rows.size)return"nbagent";let o=n?e.rows.size:Math.max(e.total,e.rows.size);return[t.running?`${y(t.running)} running`:"",t.runs<o?`${y(t.runs)} of ${y(o)} runs`:tt(o,"run"),t.tokens===null?"":`${de(t.tokens)} tokens`,t.cost===null?"":ue(t.cost),t.priced<t.called?`cost known for ${y(t.priced)} of ${y(t.called)}`:""].filter(Boolean).join(" · ")}function Bn(e){let t=[...e.gone?[Ln]:[],...e.trouble.length&&!e.gone?[e.trouble]:[],...e.said];return m`<div class="nbagent-trouble" role="alert" ?hidden=${!t.length}>
    ${t.map(([n,o])=>m`<div class="nbagent-one-trouble"><p class="nbagent-what">${n}</p><p class="nbagent-todo">${o}</p></div>`)}
  </div>`}function Fn(e,t,n,o,r){let a=(s,l)=>{t[s]=l,r.refilter()};return m`<div class="nbagent-filters" role="search" ?hidden=${!e.rows.size||e.only!==null}>
    <div class="nbagent-groups" role="group" aria-label="Status">
      ${we.map(([s,l])=>m`<button
            type="button"
            class="nbagent-group"
            aria-pressed=${t.group===s}
            @click=${()=>a("group",s)}
          >${l}<span class="nbagent-count"> ${y(n?.counts[s]??0)}</span></button>`)}
    </div>
    <input
      type="search"
      class="nbagent-search"
      placeholder="Search runs"
      spellcheck="false"
      aria-label="Search runs by text"
      .value=${t.text}
      @input=${s=>a("text",s.target.value)}
    />
    ${_e.map(s=>m`<select
          class="nbagent-select"
          aria-label=${`Filter by ${s}`}
          ?hidden=${o[s].length<2&&!t[s]}
          @change=${l=>a(s,l.target.value)}
        >
          <option value="" ?selected=${!t[s]} .selected=${!t[s]}>Any ${s}</option>
          ${o[s].map(l=>m`<option value=${l} .selected=${l===t[s]}>${l}</option>`)}
          ${b}
        </select>`)}
  </div>`}var Lt=[["status","Status"],["title","Run"],["model","Model"],["says","Answer"],["tokens","Tokens"],["cost","Cost"],["time","Time"],["created","Launched"],["action",""]];function Pt({node:e,depth:t},n,o,r){let{seen:a,state:s,now:l}=r,i=R(e),d=e.line?.row??null,u=U(e,s),c=x(i.status)?"?":"",p=e.kids?d?`+${e.kids.length}`:`× ${y(i.of)}`:"",f=i.cost===null?c:`${i.priced?"":"≥ "}${ue(i.cost)}`;return m`<div
    class="nbagent-line"
    role="row"
    id=${n}
    style=${`transform: translateY(${o*H}px); --nb-depth: ${t}`}
    data-key=${e.key}
    data-status=${i.status}
    data-offer=${`${e.key} ${u.command}`}
    aria-rowindex=${o+2}
    aria-level=${t+1}
    aria-selected=${a.openId===e.key}
    aria-expanded=${e.kids?e.unfolded:b}
    ?data-active=${a.active===e.key}
    ?data-batch=${!d}
  >
    <div class="nbagent-cell nbagent-c-status" role="gridcell"
      ><span class="nbagent-chip">${d?.reason?`${i.status}: ${d.reason}`:i.status}</span></div
    >
    <div class="nbagent-cell nbagent-c-title" role="gridcell"
      ><span class="nbagent-twist" data-part="twist" aria-hidden="true" ?hidden=${!e.kids}></span
      ><span class="nbagent-title">${i.title}</span><span class="nbagent-kids">${p}</span></div
    >
    <div class="nbagent-cell nbagent-c-model" role="gridcell">${i.model}</div>
    ${d?Wn(d):Vn(i,l)}
    <div class="nbagent-cell nbagent-c-tokens" role="gridcell">${i.tokens===null?c:y(i.tokens)}</div>
    <div class="nbagent-cell nbagent-c-cost" role="gridcell">${f}</div>
    <div class="nbagent-cell nbagent-c-time" role="gridcell">${Un(i,l)}</div>
    <div class="nbagent-cell nbagent-c-created" role="gridcell">${i.created===null?"":ot(i.created,l)}</div>
    <div class="nbagent-cell nbagent-c-action" role="gridcell"
      ><button
        type="button"
        class="nbagent-button nbagent-act"
        tabindex="-1"
        data-part="action"
        data-command=${u.command??""}
        aria-disabled=${!u.command}
        aria-label=${`${u.word} ${i.title}`}
        ?hidden=${!u.word}
      >${u.word}</button></div
    >
  </div>`}function Wn(e){let t=e.error||e.says;return m`<div
    class="nbagent-cell nbagent-c-says"
    role="gridcell"
    ?data-prompt=${!t}
    ?data-error=${!!e.error}
  >${t||e.prompt}</div>`}function Vn(e,t){let n=wt(e,t),o=e.of-e.open,r=[["completed",o-e.failed-e.cancelled],["failed",e.failed],["cancelled",e.cancelled]];return m`<div class="nbagent-cell nbagent-c-says" role="gridcell" title=${n.join(" · ")}
    ><div
      class="nbagent-progress"
      role="progressbar"
      aria-label=${`batch ${e.title}`}
      aria-valuemin="0"
      aria-valuemax=${e.of}
      aria-valuenow=${o}
      aria-valuetext=${n.join(", ")}
    >${r.map(([a,s])=>m`<div class=${`nbagent-progress-part nbagent-p-${a}`} style=${`width: ${100*s/e.of}%`}></div>`)}</div>${n.join(" · ")}</div
  >`}function Un(e,t){return e.began===null?"":e.ended!==null?nt(e.ended-e.began):V(x(e.status)?0:t-e.began)}var H=34,Ae=12,jn=6,It=6,Gn=300,Kn=0;function Ft(e){let t=`nbagent-grid-${Kn+=1}-${Math.random().toString(36).slice(2,8)}`,n=zn(),o=(u,c)=>{let p=document.createElement("div");return p.className=`nbagent-${u}`,c&&p.setAttribute("role",c),p},r=o("grid-head","rowgroup"),a=o("sizer","rowgroup"),s=o("empty",null);n.append(r,a,s),k(Bt(e.sort,null),r);let l=new De(a),i=0,d=-1;return n.addEventListener("scroll",e.scroll,{passive:!0}),n.addEventListener("keydown",u=>{u.target===n&&e.key(u)}),a.addEventListener("click",u=>{let c=u.target,p=c.closest(".nbagent-line");if(!p)return;let f=c.closest("[data-part]")?.dataset.part??"row";f==="action"&&!l.meant(u,p)||f==="row"&&String(getSelection())||e.click(p.dataset.key??"",f)}),new ResizeObserver(e.scroll).observe(n),{el:n,showSort:u=>{k(Bt(e.sort,u),r)},showEmpty(u,c){s.hidden=!u,r.hidden=a.hidden=!!u,k(u?qn(u,c):b,s)},reveal(u){let c=r.offsetHeight,p=u*H;p<n.scrollTop?n.scrollTop=p:p+H+c>n.scrollTop+n.clientHeight&&(n.scrollTop=p+H+c-n.clientHeight)},paint(u,c){let{lines:p}=u,f=`${p.length*H}px`;a.style.height!==f&&(a.style.height=f);let g=Math.min(u.openId?jn:Ae,Math.max(1,p.length));g!==i&&n.style.setProperty("--nb-rows",String(i=g)),p.length!==d&&n.setAttribute("aria-rowcount",String((d=p.length)+1));let $=Math.max(0,Math.floor(n.scrollTop/H)-It),_=Math.min(p.length,Math.ceil((n.scrollTop+n.clientHeight)/H)+It),A=te(c),C=p.slice($,_);k(C.map((T,j)=>Pt(T,`${t}-${j}`,$+j,{seen:u,state:c,now:A})),a),l.look();let M=C.findIndex(T=>T.node.key===u.active);M>=0?n.setAttribute("aria-activedescendant",`${t}-${M}`):n.removeAttribute("aria-activedescendant")}}}function zn(){let e=document.createElement("div");return e.className="nbagent-grid",e.tabIndex=0,e.setAttribute("role","treegrid"),e.setAttribute("aria-label","Runs"),e.setAttribute("aria-description","Enter opens a run, Right and Left unfold and fold, Delete cancels."),e}var De=class{constructor(t){this.home=t;t.addEventListener("pointerdown",n=>{let o=n.target.closest(".nbagent-line");this.#n=o&&!o.hasAttribute("data-moved")?o.dataset.offer??null:null})}home;#e=new WeakMap;#t=new WeakMap;#n=null;meant(t,n){return!t.detail||this.#n===n.dataset.offer}look(){for(let t of this.home.children){let n=t.dataset.offer??"",o=this.#e.get(t);this.#e.set(t,n),!(o===void 0||o===n)&&(t.setAttribute("data-moved",""),clearTimeout(this.#t.get(t)),this.#t.set(t,setTimeout(()=>t.removeAttribute("data-moved"),Gn)))}}};function Bt(e,t){return m`<div class="nbagent-line" role="row">
    ${Lt.map(([n,o])=>{let r=t?.by===n?t.down?"descending":"ascending":b;return m`<div class=${`nbagent-cell nbagent-c-${n}`} role="columnheader" aria-sort=${r}>
        ${kt(n)?m`<button type="button" class="nbagent-sort" @click=${()=>e(n)}>${o}</button>`:o||m`<span class="nbagent-unseen">Action</span>`}
      </div>`})}
  </div>`}function qn([e,t],n){let o=t==="clear"?m`<button type="button" class="nbagent-button" @click=${n}>Clear filters</button>`:t?m`<p class="nbagent-todo">Launch one from a cell:</p>
            <pre class="nbagent-sample">${t}</pre>`:b;return m`<p>${e}</p>
    ${o}`}var Yn=new Set(["tokens","cost","time","created"]),Xn={tokens:["tokens"],cost:["cost"],time:["began_ms","ended_ms"]},Jn=`%%agent_bg
What is the capital of France?`;function Wt(e,t){let{state:n,command:o}=t,r={...Ne},a=new Map,s={sort:null,lines:[],active:null,openId:null},l=null,i=null,d=0,u=document.createElement("section");u.className="nbagent-panel",u.setAttribute("aria-label","nbagent runs"),u.dataset.lmSuppressShortcuts="true";let c=Dt(n,r,{refilter:A,command:o}),p=Ft({sort:C,key:jt,click:Le,scroll:X}),f=document.createElement("div");f.className="nbagent-below",u.append(c.el,p.el,f),e.classList.add("nbagent"),e.append(u);function g(){i??=$e(n.rows,n.batches);let h=He(r);s.lines=Ot(i,h,s.sort,a,te(n)),s.lines.some(v=>v.node.key===s.active)||(s.active=s.lines[0]?.node.key??null),c.sum(h),p.showEmpty($(),_)}function $(){return s.lines.length?null:!n.loaded&&!n.trouble.length?["Reading the record…",""]:n.rows.size?["No run matches.","clear"]:n.trouble.length?["The record cannot be read now.",""]:n.only?["No row is asked yet.",""]:["No runs yet.",Jn]}function _(){Object.assign(r,Ne),A()}function A(){p.el.scrollTop=0,g(),c.draw(),X()}function C(h){let v=Yn.has(h);s.sort?.by!==h?s.sort={by:h,down:v}:s.sort=s.sort.down===v?{by:h,down:!v}:null,p.showSort(s.sort),g(),X()}function M(h){let v=Math.max(0,Math.min(s.lines.length-1,h)),w=s.lines[v];w&&(s.active=w.node.key,p.reveal(v),Y())}function T(h,v=!h.unfolded){h.kids&&(a.set(h.key,v),g(),Y())}function j(h){if(s.openId=s.openId===h?null:h,l?.end(),l=null,p.el.classList.toggle("nbagent-beside",!!s.openId),s.openId){let v=()=>{j(s.openId),p.el.focus()};l=Tt(f,s.openId,{state:n,command:o,run:t.openRun(s.openId),close:v})}Y()}function Le(h,v){let w=s.lines.find(Ie=>Ie.node.key===h)?.node;w&&(s.active=h,v==="action"?Pe(w):v==="twist"||!w.line?T(w):j(h),Y())}function Pe(h){let{command:v}=U(h,n);v&&o(v,Oe(h))}function jt(h){let v=s.lines.findIndex(w=>w.node.key===s.active);Gt(h.key,v,s.lines[v]?.node)&&h.preventDefault()}function Gt(h,v,w){let Be={ArrowDown:v+1,ArrowUp:v-1,PageDown:v+Ae-1,PageUp:v+1-Ae,Home:0,End:s.lines.length-1}[h];if(Be!==void 0)M(Be);else if(h==="ArrowRight"&&w?.kids)T(w,!0);else if(h==="ArrowLeft"&&w?.unfolded)T(w,!1);else if((h==="Enter"||h===" ")&&w)Le(w.key,"row");else if(h==="Delete"&&w&&ve(U(w,n).command))Pe(w);else if(h==="Escape"&&s.openId)j(s.openId);else return!1;return!0}function Y(){d=0,p.paint(s,n)}function X(){d||=requestAnimationFrame(Y)}let Kt=h=>r.text&&(h.has("says")||h.has("error"))?!0:!!(s.sort&&Xn[s.sort.by]?.some(v=>h.has(v)));return{update(h){if(h==="time"){s.lines.some(({node:v})=>!x(R(v).status))&&X();return}h==="all"?i=null:h!=="cells"&&Ee(i??[]),h==="all"||h!=="cells"&&Kt(h)?g():h!=="cells"&&c.sum(He(r)),h==="all"&&c.choose(),c.draw(),l?.update(),X()},end(){cancelAnimationFrame(d),l?.end()}}}var Qn=12e3,Zn=3e4,te=e=>e.stoppedMs??Date.now()+e.skewMs;function Vt(e){let t={rows:new Map,batches:new Map,total:0,loaded:!1,trouble:[],said:[],asked:new Map,only:null,gone:!1,skewMs:0,stoppedMs:null},n=new Set,o=new Map,r=new W(()=>{O(e,"resend_table","")}),a=g=>n.forEach($=>$.update(g)),s=[],l=g=>{if(!g?.columns)return;s=g.columns;let $=JSON.parse(g.lines).map(T=>Ut(s,T));t.rows=new Map($.map(T=>[T.row.id,T])),t.batches=new Map(Object.entries(g.batches));let{total:_,loaded:A,trouble:C,only:M}=g;Object.assign(t,{total:_,loaded:A,trouble:C,only:M,gone:!1,stoppedMs:null}),t.skewMs=g.now_ms-Date.now(),r.restart(g.seq),a("all")},i=g=>{if("run"in g)o.get(g.run)?.hear(g);else if("said"in g)d(g.said);else if(r.accept(g?.seq)){let $=eo(t,s,g);$===null?r.resync():a($)}},d=g=>{t.asked.delete(g.run_id);let{error:$}=g;$&&(t.said=[...t.said.slice(-2),$],setTimeout(()=>{t.said=t.said.filter(_=>_!==$),a("cells")},Qn)),a("cells")},u=async(g,$)=>{if(t.asked.has($)||t.gone)return;let _={name:g,how:"heard"};t.asked.set($,_),a("cells");let A=await O(e,g,$),C=(M,T)=>{setTimeout(()=>{t.asked.get($)===_&&(M(),a("cells"))},T)};A==="none"&&c(),A==="comm"&&C(()=>_.how="waiting",3e3),C(()=>t.asked.delete($),Zn),a("cells")},c=()=>{t.gone||(t.stoppedMs=te(t),t.gone=!0,a("all"))};l(e.get("table")),e.on("change:table",()=>l(e.get("table"))),e.on("msg:custom",i),et(e,c);let p=setInterval(()=>document.hidden||t.gone||a("time"),1e3),f=g=>{let $=o.get(g)??ht(e);return o.set(g,$),t.gone||O(e,"open",g),$};return{end:()=>clearInterval(p),render(g){let $=Wt(g,{state:t,openRun:f,command:(A,C)=>{u(A,C)}}),_=ce(e.get("key"));return n.add($),$.update("all"),()=>{n.delete($),$.end(),_()}}}}function Ut(e,t){let n={};for(let o=0;o<e.length;o+=1)n[e[o]]=t[o]??null;return{row:n,hay:null}}function eo(e,t,n){e.skewMs=n.now_ms-Date.now();let{total:o,loaded:r,trouble:a}=n;o!==void 0&&(e.total=o),r!==void 0&&(e.loaded=r),a!==void 0&&(e.trouble=a);let s=!!n.new||a!==void 0||r!==void 0;for(let[i,d]of Object.entries(n.batches??{})){let u=e.batches.get(i);u?Object.assign(u,d):(e.batches.set(i,d),s=!0),d.finished&&e.asked.delete(i)}for(let i of n.new??[])e.rows.set(String(i[0]),Ut(t,i));let l=new Set;for(let i of n.cells??[])if(!to(e,t,i,l))return null;return s||l.has("status")||l.has("created_ms")?"all":l}function to(e,t,n,o){let[r,...a]=n,s=e.rows.get(r);if(!s)return!1;s.hay=null;let l=s.row;for(let i=0;i<a.length;i+=2){let d=t[Number(a[i])];d!==void 0&&(l[d]=a[i+1]??null,o.add(d),d==="status"&&e.asked.delete(r))}return!0}var no=()=>{let e=be(),t=null;return{initialize({model:n}){let o=n;if(n.get("shows")!=="table"){e.initialize(o);return}return t=Vt(o),t.end},render({model:n,el:o}){return t?t.render(o):e.render(n,o)}}},zr=no;export{zr as default};
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
